#include "src/runtime/buffer_pool.h"

#include <algorithm>
#include <bit>

namespace tamis {
namespace {

// Eight sizes an octave: a block is at most an eighth larger than what it is used for, and sizes that differ a little
// from iteration to iteration meet in one.
size_t RoundUp(size_t bytes) {
  constexpr size_t kLeast = 256;
  if (bytes <= kLeast) return kLeast;
  const size_t step = std::bit_floor(bytes - 1) / 8;
  return (bytes + step - 1) / step * step;
}

}  // namespace

std::unique_ptr<PackedBytes> BufferPool::Take(size_t bytes) {
  const size_t size = RoundUp(bytes);
  {
    const std::lock_guard lock(mutex_);
    live_bytes_ += size;
    most_live_bytes_ = std::max(most_live_bytes_, live_bytes_);
    const auto found = idle_.find(size);
    if (found != idle_.end() && !found->second.empty()) {
      auto block = std::move(found->second.back());
      found->second.pop_back();
      idle_bytes_ -= size;
      return block;
    }
  }
  return std::make_unique<PackedBytes>(size);
}

void BufferPool::Return(std::unique_ptr<PackedBytes> block) {
  std::vector<std::unique_ptr<PackedBytes>> given_up;  // freed without the lock
  const std::lock_guard lock(mutex_);
  const size_t size = block->Bytes();
  live_bytes_ -= size;
  // What lies idle is never more than what was once in use at the same time.
  while (idle_bytes_ + size > most_live_bytes_ && !idle_.empty()) {
    auto least = idle_.begin();
    if (least->second.empty()) {
      idle_.erase(least);
      continue;
    }
    idle_bytes_ -= least->first;
    given_up.push_back(std::move(least->second.back()));
    least->second.pop_back();
  }
  idle_[size].push_back(std::move(block));
  idle_bytes_ += size;
}

Tensor BufferPool::NewTensor(DType dtype, const Dims& dims) {
  if (dtype == DType::kString) return Tensor(dtype, dims);
  // As in Tensor: kernels may load, not store, a vector past the last element.
  const size_t bytes = ByteSize(dtype, static_cast<size_t>(NumElements(dims))) + 64;
  auto block = Take(bytes);
  std::byte* data = block->data();
  std::shared_ptr<PackedBytes> owner(block.release(), [pool = shared_from_this()](PackedBytes* done) {
    pool->Return(std::unique_ptr<PackedBytes>(done));
  });
  return Tensor::View(dtype, dims, data, std::move(owner));
}

size_t BufferPool::IdleBytes() const {
  const std::lock_guard lock(mutex_);
  return idle_bytes_;
}

}  // namespace tamis
