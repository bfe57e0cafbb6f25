#include "src/kernels/cuda/slabs.h"

#include <algorithm>
#include <utility>

namespace tamis::cuda {
namespace {

size_t RoundedUp(size_t bytes, size_t multiple) {
  return (bytes + multiple - 1) / multiple * multiple;
}

// Of a slab whose first piece is so large.
size_t SlabFor(size_t size) {
  constexpr size_t kMostPieces = 8, kShare = 32;
  size_t best = 0;
  double least = 1;
  for (size_t pieces = 1; pieces <= kMostPieces; ++pieces) {
    if (pieces > 1 && pieces * size > Slabs::kMostAhead) break;
    const size_t slab = RoundedUp(pieces * size, Slabs::kPage);
    const size_t rest = slab - pieces * size;
    const double share = static_cast<double>(rest) / static_cast<double>(slab);
    if (share < least) best = slab, least = share;
    if (rest * kShare <= slab) return slab;
  }
  return best;
}

}  // namespace

Slabs::~Slabs() {
  for (const auto& [base, slab] : slabs_) source_.give(base);
}

Result<std::byte*> Slabs::Take(size_t bytes) {
  const size_t size = RoundedUp(std::max<size_t>(bytes, 1), kAlignment);
  const std::lock_guard lock(mutex_);
  auto best = slabs_.end();
  size_t offset = 0, gap = 0;
  for (auto it = slabs_.begin(); it != slabs_.end(); ++it) {
    for (const auto& [at, room] : it->second.gaps) {
      if (room < size || (best != slabs_.end() && room >= gap)) continue;
      best = it, offset = at, gap = room;
    }
  }
  if (best == slabs_.end()) {
    const size_t least = RoundedUp(size, kPage);
    size_t slab = SlabFor(size);
    auto base = source_.take(slab);
    if (!base.ok() && slab > least) base = source_.take(slab = least);
    if (!base.ok()) return base.status();
    best = slabs_.emplace(*base, Slab{slab, {{0, slab}}, {}}).first;
    held_bytes_ += slab;
    offset = 0, gap = slab;
  }
  auto& [base, slab] = *best;
  slab.gaps.erase(offset);
  if (gap > size) slab.gaps[offset + size] = gap - size;
  slab.pieces[offset] = size;
  return base + offset;
}

void Slabs::Give(std::byte* piece) {
  const std::lock_guard lock(mutex_);
  auto it = slabs_.upper_bound(piece);
  if (it == slabs_.begin()) return;
  auto& [base, slab] = *--it;
  const auto taken = slab.pieces.find(static_cast<size_t>(piece - base));
  if (taken == slab.pieces.end()) return;
  auto [offset, size] = *taken;
  slab.pieces.erase(taken);
  if (slab.pieces.empty()) {
    held_bytes_ -= slab.bytes;
    source_.give(base);
    slabs_.erase(it);
    return;
  }
  if (const auto after = slab.gaps.find(offset + size); after != slab.gaps.end()) {
    size += after->second;
    slab.gaps.erase(after);
  }
  if (auto before = slab.gaps.lower_bound(offset); before != slab.gaps.begin()) {
    --before;
    if (before->first + before->second == offset) {
      before->second += size;
      return;
    }
  }
  slab.gaps[offset] = size;
}

size_t Slabs::held_bytes() const {
  const std::lock_guard lock(mutex_);
  return held_bytes_;
}

}  // namespace tamis::cuda
