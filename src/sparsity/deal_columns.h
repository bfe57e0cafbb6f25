// The ways to deal eight columns to two groups of four, and the loop that judges them all at once.
#pragma once

#include <array>
#include <cstdint>
#include <utility>

namespace tamis {

inline constexpr int kDeals = 35;

// deal[i]: the first group's columns, column 0 among them; the second group has the others. Both ascend. The first deal
// is {0, 1, 2, 3}: columns stay.
struct Deal {
  std::array<int, 4> first, second;
};
constexpr std::array<Deal, kDeals> MakeDeals() {
  std::array<Deal, kDeals> deals = {};
  int count = 0;
  for (int i = 1; i < 8; ++i) {
    for (int j = i + 1; j < 8; ++j) {
      for (int k = j + 1; k < 8; ++k) {
        Deal& deal = deals[static_cast<size_t>(count++)];
        deal.first = {0, i, j, k};
        size_t at = 0;
        for (int c = 1; c < 8; ++c) {
          if (c != i && c != j && c != k) deal.second[at++] = c;
        }
      }
    }
  }
  return deals;
}
inline constexpr std::array<Deal, kDeals> kDealTable = MakeDeals();

// sums[i]: over every `step`-th block of 16 rows, what both groups of deal i keep. `blocks` counts those looked at.
using JudgeDealsFn = void (*)(const float* const columns[8], int64_t blocks, int64_t step, float* sums);
extern const JudgeDealsFn kJudgeDealsAvx2;
extern const JudgeDealsFn kJudgeDealsAvx512;

// The index of the pair {a, b}, a < b, among the 28 pairs of eight.
constexpr size_t PairIndex(int a, int b) {
  return static_cast<size_t>(a * 7 - a * (a - 1) / 2 + b - a - 1);
}

// `Lanes` holds 16 floats and has Load, +, Max and Store. The two largest of a, b, c, d together are the largest of
// a + b, c + d and max(a, b) + max(c, d); sums and maxima of all pairs serve all deals. Lane by lane the same
// additions on every instruction set, so all give the same bits.
template <class Lanes>
void JudgeDeals(const float* const columns[8], int64_t blocks, int64_t step, float* sums) {
  Lanes total[kDeals];
  for (Lanes& lanes : total) lanes = Lanes::Zero();
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t row = block * step * 16;
    Lanes x[8], sum[28], most[28];
    for (int c = 0; c < 8; ++c) x[c] = Lanes::Load(columns[c] + row);
    for (int a = 0; a < 8; ++a) {
      for (int b = a + 1; b < 8; ++b) {
        sum[PairIndex(a, b)] = x[a] + x[b];
        most[PairIndex(a, b)] = Max(x[a], x[b]);
      }
    }
    const auto two_of = [&](size_t ab, size_t cd) { return Max(Max(sum[ab], sum[cd]), most[ab] + most[cd]); };
    [&]<size_t... i>(std::index_sequence<i...>) {
      ((total[i] = total[i] + (two_of(PairIndex(kDealTable[i].first[0], kDealTable[i].first[1]),
                                      PairIndex(kDealTable[i].first[2], kDealTable[i].first[3])) +
                               two_of(PairIndex(kDealTable[i].second[0], kDealTable[i].second[1]),
                                      PairIndex(kDealTable[i].second[2], kDealTable[i].second[3])))),
       ...);
    }
    (std::make_index_sequence<kDeals>());
  }
  for (int i = 0; i < kDeals; ++i) {
    float lane[16];
    total[i].Store(lane);
    for (int width = 8; width > 0; width /= 2) {
      for (int l = 0; l < width; ++l) lane[l] += lane[l + width];
    }
    sums[i] = lane[0];
  }
}

}  // namespace tamis
