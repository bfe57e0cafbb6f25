#include "src/kernels/pack_cache.h"

#include "src/base/huge_pages.h"

namespace tamis {

PackedBytes::PackedBytes(size_t bytes) : bytes_(bytes), data_(AllocateHuge(bytes)) {}

PackedBytes::~PackedBytes() {
  FreeHuge(data_, bytes_);
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
