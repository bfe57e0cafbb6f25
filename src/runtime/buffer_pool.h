// Memory of tensors whose sizes are known only as a graph runs: blocks go back when their last tensor goes, and are
// given out again, so that a node's result costs no page faults.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "src/kernels/pack_cache.h"
#include "tamis/tensor.h"

namespace tamis {

// Thread-safe. Tensors may outlive the pool's owner: each keeps the pool alive.
class BufferPool : public std::enable_shared_from_this<BufferPool> {
 public:
  static std::shared_ptr<BufferPool> Make() { return std::shared_ptr<BufferPool>(new BufferPool()); }

  // Elements are not zeroed, except strings, which are empty.
  Tensor NewTensor(DType dtype, const Dims& dims);
  size_t IdleBytes() const;

 private:
  BufferPool() = default;
  std::unique_ptr<PackedBytes> Take(size_t bytes);
  void Return(std::unique_ptr<PackedBytes> block);

  mutable std::mutex mutex_;
  std::map<size_t, std::vector<std::unique_ptr<PackedBytes>>> idle_;  // by size
  size_t idle_bytes_ = 0;
  size_t live_bytes_ = 0, most_live_bytes_ = 0;
};

}  // namespace tamis
