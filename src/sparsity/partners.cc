#include "src/sparsity/partners.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace tamis {
namespace {

// The most that two of a group's elements hold.
double TwoLargest(const std::array<double, 4>& group) {
  const double low = std::min(group[0], group[1]), high = std::max(group[0], group[1]);
  const double low2 = std::min(group[2], group[3]), high2 = std::max(group[2], group[3]);
  return std::max({low + high, low2 + high2, high + high2});
}

std::array<double, 4> GroupOf(const RowMatrix& saliency, const WeightLayout& layout, int64_t row, int64_t group) {
  std::array<double, 4> elements = {};
  for (int64_t i = 0; i < layout.GroupSize(group); ++i) {
    elements[static_cast<size_t>(i)] = saliency(row, layout.GroupBegin(group) + i);
  }
  return elements;
}

struct Match {
  double kept;
  int64_t a, b;
};

}  // namespace

std::vector<int64_t> ChoosePartners(const RowMatrix& saliency, const WeightLayout& layout, ThreadPool& pool) {
  std::vector<int64_t> partner(static_cast<size_t>(layout.rows));
  std::iota(partner.begin(), partner.end(), 0);
  const int64_t panels = (layout.rows + kPartnerPanel - 1) / kPartnerPanel;
  pool.Run(static_cast<int>(panels), [&](int panel) {
    const int64_t begin = panel * kPartnerPanel, end = std::min(begin + kPartnerPanel, layout.rows);
    const int64_t groups = layout.GroupsPerRow();
    std::vector<std::array<double, 4>> elements(static_cast<size_t>((end - begin) * groups));
    std::vector<double> alone(static_cast<size_t>(end - begin));
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t group = 0; group < groups; ++group) {
        auto& four = elements[static_cast<size_t>((row - begin) * groups + group)];
        four = GroupOf(saliency, layout, row, group);
        alone[static_cast<size_t>(row - begin)] += TwoLargest(four);
      }
    }
    std::vector<Match> matches;
    for (int64_t a = begin; a < end; ++a) {
      for (int64_t b = a + 1; b < end; ++b) {
        double together = 0;
        for (int64_t group = 0; group < groups; ++group) {
          const auto& p = elements[static_cast<size_t>((a - begin) * groups + group)];
          const auto& q = elements[static_cast<size_t>((b - begin) * groups + group)];
          together += TwoLargest({p[0] + q[0], p[1] + q[1], p[2] + q[2], p[3] + q[3]});
        }
        const double apart = alone[static_cast<size_t>(a - begin)] + alone[static_cast<size_t>(b - begin)];
        matches.push_back({together - apart, a, b});
      }
    }
    std::stable_sort(matches.begin(), matches.end(), [](const Match& x, const Match& y) { return x.kept > y.kept; });
    for (const Match& match : matches) {
      auto &a = partner[static_cast<size_t>(match.a)], &b = partner[static_cast<size_t>(match.b)];
      if (a != match.a || b != match.b) continue;
      a = match.b;
      b = match.a;
    }
  });
  return partner;
}

}  // namespace tamis
