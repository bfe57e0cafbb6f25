#include "src/kernels/gemm/shared_units.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "src/base/thread_pool.h"

namespace tamis {
namespace {

TEST(PartUnits, CoverEachRowOfEachPanelOnce) {
  for (const int64_t rows : {0, 1, 47, 97, 128, 1568, 3000}) {
    for (const int64_t panels : {0, 1, 2, 3, 12}) {
      for (const int64_t unit : {1, 2, 56}) {
        for (const int64_t block : {24, 104, 4096}) {
          const PartUnits units({10, 10 + rows}, {5, 5 + panels}, block, unit);
          std::vector<int> seen(static_cast<size_t>(rows * panels), 0);
          for (int64_t i = 0; i < units.size(); ++i) {
            const PartUnits::Unit one = units.At(i);
            EXPECT_LT(one.rows.begin, one.rows.end);
            EXPECT_LE(one.rows.end - one.rows.begin, block);
            EXPECT_EQ(one.has_next, i + 1 < units.size() && units.At(i + 1).panel == one.panel + 1);
            for (int64_t row = one.rows.begin; row < one.rows.end; ++row) {
              ++seen[static_cast<size_t>((row - 10) * panels + one.panel - 5)];
            }
          }
          EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](int n) { return n == 1; }));
        }
      }
    }
  }
}

TEST(PartUnits, AreManyWhereThereAreFewPanels) {
  EXPECT_EQ(PartUnits({0, 128}, {0, 12}, 4096, 2).size(), 12);  // a panel is read once
  EXPECT_GE(PartUnits({0, 1568}, {0, 2}, 4096, 56).size(), 8);
  EXPECT_EQ(PartUnits({0, 64}, {0, 1}, 4096, 2).size(), 1);
}

TEST(UnitQueue, EachUnitIsTakenOnce) {
  constexpr int kParts = 4;
  constexpr int64_t kUnits = 500;
  ThreadPool pool(kParts);
  alignas(64) std::array<std::byte, sizeof(UnitQueue) * kParts> memory;
  for (int repeat = 0; repeat < 20; ++repeat) {
    UnitQueue* const queues = UnitQueue::MakeIn(memory.data(), kParts);
    std::vector<std::atomic<int>> taken(kParts * kUnits);
    pool.Run(kParts, [&](int part) {
      // Parts of different lengths.
      const auto units_of = [](int64_t of) { return PartUnits({0, 1}, {0, kUnits * (of + 1) / kParts}, 8, 1); };
      RunUnits(repeat == 0 ? nullptr : queues, kParts, part, units_of, [&](int64_t owner, const PartUnits::Unit& unit) {
        taken[static_cast<size_t>(owner * kUnits + unit.panel)].fetch_add(1);
      });
    });
    for (int64_t part = 0; part < kParts; ++part) {
      for (int64_t unit = 0; unit < kUnits; ++unit) {
        EXPECT_EQ(taken[static_cast<size_t>(part * kUnits + unit)].load(), unit < kUnits * (part + 1) / kParts ? 1 : 0);
      }
    }
  }
}

TEST(UnitQueue, GivesBothEnds) {
  alignas(64) std::array<std::byte, sizeof(UnitQueue)> memory;
  UnitQueue& queue = *UnitQueue::MakeIn(memory.data(), 1);
  EXPECT_EQ(queue.TakeLast(), -1);
  queue.Publish(3);
  EXPECT_EQ(queue.TakeFirst(), 0);
  EXPECT_EQ(queue.TakeLast(), 2);
  EXPECT_EQ(queue.TakeFirst(), 1);
  EXPECT_EQ(queue.TakeFirst(), -1);
  EXPECT_EQ(queue.TakeLast(), -1);
}

}  // namespace
}  // namespace tamis
