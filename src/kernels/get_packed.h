// PackCache::Get for packings that may be refused.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "src/kernels/pack_cache.h"
#include "tamis/status.h"

namespace tamis {

// `make` returns a Result<std::shared_ptr<const T>>; what it refuses is this function's error, and nothing is kept. T
// is what every weight of this packing is.
template <class T, class Make>
Result<std::shared_ptr<const T>> GetPacked(PackCache& cache, uint64_t hash, const std::string& packing, Make make) {
  Status status;
  auto held = cache.Get(hash, packing, [&]() -> std::shared_ptr<const PackedWeight> {
    Result<std::shared_ptr<const T>> made = make();
    if (made.ok()) return std::move(made).value();
    status = made.status();
    return nullptr;
  });
  if (!status.ok()) return status;
  return std::static_pointer_cast<const T>(held);
}

}  // namespace tamis
