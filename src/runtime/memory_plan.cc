#include "src/runtime/memory_plan.h"

#include <algorithm>
#include <numeric>

namespace tamis {

MemoryPlan PlanMemory(const std::vector<BufferUse>& uses) {
  constexpr size_t kAlign = 64;
  // Kernels may load, never store, up to one vector past an operand.
  const auto padded = [](size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign + kAlign; };
  std::vector<size_t> order(uses.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return uses[a].bytes > uses[b].bytes; });

  MemoryPlan plan;
  plan.offsets.assign(uses.size(), 0);
  std::vector<size_t> placed;
  for (size_t index : order) {
    const BufferUse& use = uses[index];
    std::vector<std::pair<size_t, size_t>> taken;  // [begin, end) of buffers alive at the same time
    for (size_t other : placed) {
      if (uses[other].first <= use.last && use.first <= uses[other].last) {
        taken.emplace_back(plan.offsets[other], plan.offsets[other] + padded(uses[other].bytes));
      }
    }
    std::sort(taken.begin(), taken.end());
    size_t offset = 0;
    for (const auto& [begin, end] : taken) {
      if (offset + padded(use.bytes) <= begin) break;
      offset = std::max(offset, end);
    }
    plan.offsets[index] = offset;
    plan.arena_bytes = std::max(plan.arena_bytes, offset + padded(use.bytes));
    placed.push_back(index);
  }
  return plan;
}

}  // namespace tamis
