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

// Greedy by size (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020): large buffers
// first, each at the lowest gap that is free for its whole lifetime. O(n^2).
MemoryPlan PlanMemory(const std::vector<BufferUse>& uses);

}  // namespace tamis
