// Memory that a request's body is received into. A large one lies where GPUs fetch it themselves, if there are any.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

#include "src/cuda/pinned_blocks.h"
#include "src/server/protocol/tensor_bytes.h"

namespace tamis {

class BodyMemory {
 public:
  explicit BodyMemory(size_t capacity)
      : capacity_((capacity + 2 * kTensorAlignment - 1) / kTensorAlignment * kTensorAlignment) {
    data_ = PinnedBlocks::OfProcess().Take(capacity_);
    if (data_ == nullptr) data_.reset(static_cast<char*>(std::aligned_alloc(kTensorAlignment, capacity_)), Free());
    if (data_ == nullptr) throw std::bad_alloc();
  }
  // Where `bytes` fit so that byte `aligned_byte` of them lies on a multiple of kTensorAlignment; nullptr if they
  // don't.
  char* PlaceFor(size_t bytes, size_t aligned_byte) {
    const size_t lead = (kTensorAlignment - aligned_byte % kTensorAlignment) % kTensorAlignment;
    return lead + bytes <= capacity_ ? data_.get() + lead : nullptr;
  }
  size_t capacity() const { return capacity_; }

 private:
  struct Free {
    void operator()(char* data) const { std::free(data); }
  };
  size_t capacity_;
  std::shared_ptr<char> data_;
};

}  // namespace tamis
