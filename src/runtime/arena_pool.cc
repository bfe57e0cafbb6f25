#include "src/runtime/arena_pool.h"

#include <algorithm>

namespace tamis {

std::unique_ptr<ArenaBlock> ArenaPool::Take(size_t bytes) {
  std::unique_ptr<ArenaBlock> block;
  {
    std::lock_guard lock(mutex_);
    const auto fits =
        std::find_if(free_.begin(), free_.end(), [&](const auto& b) { return b->memory.Bytes() >= bytes; });
    const auto chosen = fits != free_.end() ? fits : free_.begin();
    if (chosen != free_.end()) {
      block = std::move(*chosen);
      free_.erase(chosen);
    }
  }
  if (block == nullptr || block->memory.Bytes() < bytes) {
    block.reset();  // before the larger one is made, so that both never exist at once
    block = std::make_unique<ArenaBlock>(bytes);
  }
  return block;
}

void ArenaPool::Return(std::unique_ptr<ArenaBlock> block) {
  std::lock_guard lock(mutex_);
  free_.push_back(std::move(block));
}

}  // namespace tamis
