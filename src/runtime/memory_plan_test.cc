#include "src/runtime/memory_plan.h"

#include <gtest/gtest.h>

#include <random>

namespace tamis {
namespace {

TEST(PlanMemory, BuffersThatNeverMeetShareTheirPlace) {
  const MemoryPlan plan = PlanMemory({{1000, 0, 1}, {1000, 2, 3}});
  EXPECT_EQ(plan.offsets[0], plan.offsets[1]);
}

TEST(PlanMemory, NoTwoLiveBuffersOverlap) {
  std::mt19937 random(42);
  std::vector<BufferUse> uses;
  for (int i = 0; i < 200; ++i) {
    const int first = static_cast<int>(random() % 50);
    uses.push_back({random() % 5000, first, first + static_cast<int>(random() % 8)});
  }
  const MemoryPlan plan = PlanMemory(uses);
  size_t sum = 0;
  for (size_t i = 0; i < uses.size(); ++i) {
    EXPECT_EQ(plan.offsets[i] % 64, 0u);
    EXPECT_LE(plan.offsets[i] + uses[i].bytes, plan.arena_bytes);
    sum += uses[i].bytes;
    for (size_t j = 0; j < i; ++j) {
      if (uses[i].first > uses[j].last || uses[j].first > uses[i].last) continue;
      const bool apart =
          plan.offsets[i] + uses[i].bytes <= plan.offsets[j] || plan.offsets[j] + uses[j].bytes <= plan.offsets[i];
      EXPECT_TRUE(apart) << i << " and " << j;
    }
  }
  EXPECT_LT(plan.arena_bytes, sum);
}

// Blocks as networks have them: a residual that lives through a block, a wide middle, branches that meet.
std::vector<BufferUse> Network(uint32_t seed, int blocks) {
  std::mt19937 random(seed);
  std::vector<BufferUse> uses;
  int step = 0;
  size_t width = 64 << 10;
  for (int i = 0; i < blocks; ++i) {
    const int length = 3 + static_cast<int>(random() % 4);
    uses.push_back({width, step, step + length});  // the residual
    for (int s = 0; s < length; ++s) {
      const size_t bytes = width * (1 + random() % 4) / (1 + random() % 2);
      uses.push_back({bytes, step + s, step + s + 1 + static_cast<int>(random() % 2)});
      if (random() % 3 == 0) uses.push_back({random() % 30000, step + s, step + s});  // a workspace
    }
    step += length;
    if (random() % 4 == 0) width = width * 3 / 4;
  }
  return uses;
}

TEST(PlanMemory, StaysNearTheLowerBound) {
  for (uint32_t seed = 0; seed < 200; ++seed) {
    const auto uses = Network(seed, 12);
    const MemoryPlan plan = PlanMemory(uses);
    const double bound = static_cast<double>(MostAlive(uses));
    EXPECT_GE(static_cast<double>(plan.arena_bytes), bound);
    EXPECT_LE(static_cast<double>(plan.arena_bytes), 1.15 * bound) << "seed " << seed;
  }
}

}  // namespace
}  // namespace tamis
