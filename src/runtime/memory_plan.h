// Places buffers with known lifetimes in one arena.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tamis {

struct BufferUse {
  size_t bytes = 0;
  int first = 0, last = 0;  // steps at which the buffer is written first and read last, inclusive
};

struct MemoryPlan {
  std::vector<size_t> offsets;  // 64-byte aligned, one for each use
  size_t arena_bytes = 0;
};

// Places buffers one after another, each at the lowest gap that is free for its whole lifetime, in several orders: by
// size (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020), by size times lifetime,
// by the moment of most memory; then, while the best is above what is alive at once, by a short local search from the
// best order. O(n log n + pairs alive together) an order. The result depends on the uses alone.
MemoryPlan PlanMemory(const std::vector<BufferUse>& uses);

// The most bytes that are alive at one step: no plan takes less.
size_t MostAlive(const std::vector<BufferUse>& uses);

}  // namespace tamis
