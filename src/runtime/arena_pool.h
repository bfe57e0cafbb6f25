// Scratch memory of runs, shared by all programs of a session: as many blocks as runs go on at once, each as large as
// the largest program that used it.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "src/kernels/pack_cache.h"

namespace tamis {

// What one run works with.
struct ArenaBlock {
  explicit ArenaBlock(size_t bytes) : memory(bytes) {}
  PackedBytes memory;
  std::vector<const void*> inputs;  // addresses of one node's operands
  std::vector<void*> outputs;
};

// Thread-safe.
class ArenaPool {
 public:
  // A block of at least `bytes`. A free one that is too small is given up rather than kept beside a larger one.
  std::unique_ptr<ArenaBlock> Take(size_t bytes);
  void Return(std::unique_ptr<ArenaBlock> block);

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<ArenaBlock>> free_;
};

}  // namespace tamis
