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

}  // namespace
}  // namespace tamis
