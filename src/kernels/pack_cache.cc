#include "src/kernels/pack_cache.h"

#include <cstdlib>
#include <new>

namespace tamis {

PackedBytes::PackedBytes(size_t bytes)
    : bytes_(bytes), data_(static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 127) / 64 * 64))) {
  if (data_ == nullptr) throw std::bad_alloc();
}

PackedBytes::~PackedBytes() {
  std::free(data_);
}

std::shared_ptr<const PackedWeight> PackCache::Get(uint64_t hash, const std::string& packing, const Make& make) {
  if (hash == 0) return make();
  std::lock_guard lock(mutex_);
  auto& entry = entries_[{hash, packing}];
  auto held = entry.lock();
  if (!held) {
    held = make();
    entry = held;
  }
  return held;
}

size_t PackCache::LiveBytes() const {
  std::lock_guard lock(mutex_);
  size_t bytes = 0;
  for (const auto& [key, entry] : entries_) {
    if (const auto held = entry.lock()) bytes += held->Bytes();
  }
  return bytes;
}

}  // namespace tamis
