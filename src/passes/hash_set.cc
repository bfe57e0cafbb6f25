#include "src/passes/hash_set.h"

#include <algorithm>
#include <bit>

namespace tamis {

namespace {
// 0 marks an empty slot.
uint64_t Stored(uint64_t hash) {
  return hash | 1;
}
}  // namespace

void HashSet::Reserve(size_t count) {
  const size_t slots = std::bit_ceil(std::max<size_t>(64, 2 * count));
  if (slots > slots_.size()) Rehash(slots);
}

void HashSet::Rehash(size_t slots) {
  std::vector<uint64_t> larger(slots, 0);
  for (uint64_t hash : slots_) {
    if (hash != 0) larger[PlaceOf(larger, hash)] = hash;
  }
  slots_ = std::move(larger);
}

void HashSet::Add(uint64_t hash) {
  Reserve(taken_ + 1);
  uint64_t& slot = slots_[PlaceOf(slots_, Stored(hash))];
  taken_ += slot == 0;
  slot = Stored(hash);
}

bool HashSet::Contains(uint64_t hash) const {
  return !slots_.empty() && slots_[PlaceOf(slots_, Stored(hash))] == Stored(hash);
}

size_t HashSet::PlaceOf(const std::vector<uint64_t>& slots, uint64_t hash) {
  size_t place = (hash >> 1) & (slots.size() - 1);
  while (slots[place] != 0 && slots[place] != hash) place = (place + 1) & (slots.size() - 1);
  return place;
}

}  // namespace tamis
