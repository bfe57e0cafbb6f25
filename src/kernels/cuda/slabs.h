// Device memory for weights: pieces of larger allocations. cudaMalloc rounds what is over a megabyte up to whole pages
// of two megabytes, which makes 73 of the 51 MB of a ResNet-50 in f16.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>

#include "tamis/status.h"

namespace tamis::cuda {

// Where slabs come from. Sizes are multiples of Slabs::kPage.
struct SlabSource {
  std::function<Result<std::byte*>(size_t bytes)> take;
  std::function<void(std::byte*)> give;
};

// Thread-safe. A slab goes back to its source with its last piece.
class Slabs {
 public:
  static constexpr size_t kPage = size_t{2} << 20, kMostAhead = size_t{16} << 20;
  static constexpr size_t kAlignment = 256;

  explicit Slabs(SlabSource source) : source_(std::move(source)) {}
  ~Slabs();  // all pieces must have been given back
  Slabs(const Slabs&) = delete;
  Slabs& operator=(const Slabs&) = delete;

  // The smallest gap that holds so many bytes, or a new slab. Weights of one size come several times: the slab has room
  // for as many of this size as fill whole pages well, up to kMostAhead.
  Result<std::byte*> Take(size_t bytes);
  void Give(std::byte* piece);

  size_t held_bytes() const;  // of all slabs

 private:
  struct Slab {
    size_t bytes = 0;
    std::map<size_t, size_t> gaps;    // offset to size; neighbours are one
    std::map<size_t, size_t> pieces;  // likewise
  };

  SlabSource source_;
  mutable std::mutex mutex_;  // guards what follows
  std::map<std::byte*, Slab> slabs_;
  size_t held_bytes_ = 0;
};

}  // namespace tamis::cuda
