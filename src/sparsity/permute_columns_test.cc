#include "src/sparsity/permute_columns.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "src/base/cpu.h"
#include "src/sparsity/deal_columns.h"

namespace tamis {
namespace {

ColumnGroups InOrder(int64_t columns) {
  ColumnGroups groups;
  groups.movable = columns;
  for (int32_t c = 0; c < columns; c += 4) {
    ColumnGroup group;
    for (int32_t i = 0; i < 4; ++i) group[static_cast<size_t>(i)] = c + i < columns ? c + i : -1;
    groups.groups.push_back(group);
  }
  return groups;
}

SaliencyColumns Squares(int64_t rows, int64_t columns, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  SaliencyColumns saliency(rows, columns);
  for (int64_t c = 0; c < columns; ++c) {
    for (int64_t r = 0; r < rows; ++r) {
      const float x = normal(random);
      saliency.column(c)[r] = x * x;
    }
  }
  return saliency;
}

// What the order keeps, counted anew.
double KeptBy(const SaliencyColumns& saliency, const ColumnGroups& groups, const std::vector<int32_t>& order) {
  ColumnGroups moved = groups;
  for (ColumnGroup& group : moved.groups) {
    for (int32_t& c : group) {
      if (c >= 0 && c < groups.movable) c = order[static_cast<size_t>(c)];
    }
  }
  return TwoLargestSum(saliency, moved);
}

void ExpectOrder(const std::vector<int32_t>& order) {
  std::vector<int32_t> sorted = order, expected(order.size());
  std::sort(sorted.begin(), sorted.end());
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(sorted, expected);
}

TEST(PermuteColumns, FindsTheOnlyArrangementThatLosesNothing) {
  // Every row needs two columns of each hidden group; in the given order most groups hold four that one row needs.
  constexpr int64_t kColumns = 16;
  std::vector<int32_t> place(kColumns);
  std::iota(place.begin(), place.end(), 0);
  std::mt19937_64 random(3);
  std::shuffle(place.begin(), place.end(), random);
  SaliencyColumns saliency(96, kColumns);
  for (int64_t row = 0; row < 96; ++row) {
    for (int64_t g = 0; g < kColumns / 4; ++g) {
      std::array<int64_t, 4> inside = {0, 1, 2, 3};
      std::shuffle(inside.begin(), inside.end(), random);
      for (size_t i = 0; i < 2; ++i) saliency.column(place[static_cast<size_t>(g * 4 + inside[i])])[row] = 1;
    }
  }
  ThreadPool pool(2);
  const ColumnGroups groups = InOrder(kColumns);
  const ColumnOrder found = FindColumnOrder(saliency, groups, {}, pool);
  EXPECT_LT(found.before, 96 * 8);
  EXPECT_EQ(found.after, 96 * 8);
  EXPECT_EQ(KeptBy(saliency, groups, found.order), 96 * 8);
  ExpectOrder(found.order);
}

// With eight columns one pair of groups is all there is, and every deal of it is tried.
TEST(PermuteColumns, IsExhaustiveOnTwoGroups) {
  const SaliencyColumns saliency = Squares(37, 8, 5);
  ThreadPool pool(1);
  const ColumnGroups groups = InOrder(8);
  const ColumnOrder found = FindColumnOrder(saliency, groups, {}, pool);
  std::vector<int32_t> order(8);
  std::iota(order.begin(), order.end(), 0);
  double best = 0;
  do {
    best = std::max(best, KeptBy(saliency, groups, order));
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_NEAR(found.after, best, 2e-5 * best);  // gains below kLeastGain may be left
}

TEST(PermuteColumns, GivesTheSameForAnyNumberOfThreadsAndSaysWhatItKeeps) {
  const SaliencyColumns saliency = Squares(100, 64, 7);
  const ColumnGroups groups = InOrder(64);
  ThreadPool one(1), four(4);
  const ColumnOrder a = FindColumnOrder(saliency, groups, {}, one), b = FindColumnOrder(saliency, groups, {}, four);
  EXPECT_EQ(a.order, b.order);
  ExpectOrder(a.order);
  EXPECT_GT(a.after, 1.01 * a.before);
  EXPECT_NEAR(KeptBy(saliency, groups, a.order), a.after, 1e-9 * a.after);
}

// A last group of two columns, and a group that shares its places with a column that may not move.
TEST(PermuteColumns, LeavesWhatIsNotItsOwn) {
  SaliencyColumns saliency = Squares(64, 15, 11);
  ColumnGroups groups = InOrder(14);
  groups.groups[1] = {4, 5, 6, 14};
  groups.groups.push_back({7, -1, -1, -1});
  for (int64_t r = 0; r < 64; ++r) saliency.column(14)[r] = 10;  // so that its group has one place left
  ThreadPool pool(1);
  const ColumnOrder found = FindColumnOrder(saliency, groups, {}, pool);
  ExpectOrder(found.order);
  EXPECT_GT(found.after, found.before);
  EXPECT_NEAR(KeptBy(saliency, groups, found.order), found.after, 1e-9 * found.after);
}

TEST(PermuteColumns, AShareOfTheRowsDecidesWhereThereAreManyMore) {
  const SaliencyColumns saliency = Squares(4096, 32, 13);
  const ColumnGroups groups = InOrder(32);
  ThreadPool pool(2);
  const ColumnOrder found = FindColumnOrder(saliency, groups, {.block_limit = 20'000}, pool);
  ExpectOrder(found.order);
  EXPECT_GE(found.after, found.before);
  EXPECT_NEAR(KeptBy(saliency, groups, found.order), found.after, 1e-9 * found.after);
}

TEST(DealColumns, IsTheSameOnEveryInstructionSet) {
  if (Cpu().isa != Isa::kAvx512) GTEST_SKIP() << "two instruction sets are needed";
  const SaliencyColumns saliency = Squares(80, 8, 17);
  const float* columns[8];
  for (int64_t c = 0; c < 8; ++c) columns[c] = saliency.column(c);
  for (const auto& [blocks, step] : {std::pair<int64_t, int64_t>{5, 1}, {2, 3}}) {
    float narrow[kDeals], wide[kDeals];
    kJudgeDealsAvx2(columns, blocks, step, narrow);
    kJudgeDealsAvx512(columns, blocks, step, wide);
    EXPECT_TRUE(std::equal(narrow, narrow + kDeals, wide));
  }
}

}  // namespace
}  // namespace tamis
