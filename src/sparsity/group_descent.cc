#include "src/sparsity/group_descent.h"

#include <algorithm>
#include <array>
#include <atomic>

#include "src/sparsity/product.h"

namespace tamis {
namespace {

constexpr int64_t kGroupsPerBlock = 32;
constexpr double kSettled = 1e-3;  // share of groups whose pairs changed in the last sweep

using Eigen::Matrix4d;
using Eigen::Vector4d;

// Two positions of a group that may be kept, and what A_PP is there.
struct Way {
  int first, second;
  Matrix4d inverse;  // (A_PP)^-1, embedded in the group's columns
};

struct GroupWays {
  Matrix4d hessian = Matrix4d::Zero();  // A_gg
  std::vector<Way> ways;                // one, of all positions, for groups of one or two
};

Matrix4d InverseAt(const Matrix4d& a, int i, int j) {
  Matrix4d inverse = Matrix4d::Zero();
  if (i == j) {
    inverse(i, i) = 1 / a(i, i);
    return inverse;
  }
  const double determinant = a(i, i) * a(j, j) - a(i, j) * a(i, j);
  inverse(i, i) = a(j, j) / determinant;
  inverse(j, j) = a(i, i) / determinant;
  inverse(i, j) = inverse(j, i) = -a(i, j) / determinant;
  return inverse;
}

GroupWays WaysOf(const RowMatrix& hessian, int64_t column, int64_t columns) {
  GroupWays group;
  const auto size = static_cast<int>(columns);
  group.hessian.topLeftCorner(size, size) = hessian.block(column, column, size, size);
  if (size <= kGroupKept) {
    group.ways.push_back({0, size - 1, InverseAt(group.hessian, 0, size - 1)});
    return group;
  }
  for (const auto& pair : kGroupPairs) {
    if (pair[1] < size) group.ways.push_back({pair[0], pair[1], InverseAt(group.hessian, pair[0], pair[1])});
  }
  return group;
}

// A row, or two that share their mask.
struct Rows {
  std::array<int64_t, 2> rows;
  size_t count;
};

std::vector<Rows> Leaders(std::span<const int64_t> partner) {
  std::vector<Rows> leaders;
  for (size_t row = 0; row < partner.size(); ++row) {
    const auto me = static_cast<int64_t>(row);
    if (partner[row] >= me) leaders.push_back({{me, partner[row]}, partner[row] == me ? size_t{1} : size_t{2}});
  }
  return leaders;
}

}  // namespace

int64_t DescendByGroups(const Objective& objective, const WeightLayout& layout, std::span<const int64_t> partner,
                        int sweeps, Mask& mask, RowMatrix& weight, ThreadPool& pool) {
  const RowMatrix& hessian = objective.hessian();
  const std::vector<float>& hessian32 = objective.hessian32();
  const int64_t groups = layout.GroupsPerRow(), columns = layout.columns, rows = weight.rows();
  const std::vector<Rows> leaders = Leaders(partner);
  const Mask before = mask;
  for (int sweep = 0; sweep < sweeps; ++sweep) {
    RowMatrix descent = objective.Descent(weight);
    std::atomic<int64_t> changed = 0;
    for (int64_t first = 0; first < groups; first += kGroupsPerBlock) {
      const int64_t last = std::min(first + kGroupsPerBlock, groups);
      const int64_t begin = layout.GroupBegin(first);
      const int64_t end = last == groups ? columns : layout.GroupBegin(last);
      std::vector<GroupWays> ways;
      for (int64_t g = first; g < last; ++g) ways.push_back(WaysOf(hessian, layout.GroupBegin(g), layout.GroupSize(g)));
      std::vector<float> moved(static_cast<size_t>((end - begin) * rows), 0.0F);  // [columns][rows], old minus new
      pool.ParallelFor(static_cast<int64_t>(leaders.size()), 4, [&](int64_t leader_begin, int64_t leader_end) {
        for (int64_t leader = leader_begin; leader < leader_end; ++leader) {
          const Rows& of = leaders[static_cast<size_t>(leader)];
          for (int64_t g = first; g < last; ++g) {
            const GroupWays& group = ways[static_cast<size_t>(g - first)];
            const int64_t column = layout.GroupBegin(g), size = layout.GroupSize(g);
            std::array<Vector4d, 2> old = {Vector4d::Zero(), Vector4d::Zero()}, open = old;
            for (size_t r = 0; r < of.count; ++r) {
              for (int64_t i = 0; i < size; ++i) {
                old[r][i] = weight(of.rows[r], column + i);
                open[r][i] = descent(of.rows[r], column + i);
              }
              open[r] += group.hessian * old[r];
            }
            const Way* best = nullptr;
            double most = 0;
            for (const Way& way : group.ways) {
              double gain = 0;
              for (size_t r = 0; r < of.count; ++r) gain += open[r].dot(way.inverse * open[r]);
              if (best == nullptr || gain > most) {
                best = &way;
                most = gain;
              }
            }
            uint8_t* kept = mask.data() + of.rows[0] * columns + column;
            const bool other = size > kGroupKept && !(kept[best->first] && kept[best->second]);
            if (other) changed.fetch_add(1, std::memory_order_relaxed);
            for (size_t r = 0; r < of.count; ++r) {
              const int64_t row = of.rows[r];
              const Vector4d fresh = best->inverse * open[r];
              const Vector4d step = fresh - old[r];
              uint8_t* mine = mask.data() + row * columns + column;
              for (int64_t i = 0; i < size; ++i) {
                weight(row, column + i) = fresh[i];
                if (size > kGroupKept) mine[i] = i == best->first || i == best->second;
                moved[static_cast<size_t>((column - begin + i) * rows + row)] = static_cast<float>(-step[i]);
                descent.row(row).segment(column, end - column) -=
                    step[i] * hessian.row(column + i).segment(column, end - column);
              }
            }
          }
        }
      });
      if (end < columns) {
        AddTransposedProduct({moved.data(), end - begin, rows, rows},
                             {hessian32.data() + begin * columns + end, end - begin, columns - end, columns},
                             descent.data() + end, columns, false, pool);
      }
    }
    if (static_cast<double>(changed) < kSettled * static_cast<double>(groups * static_cast<int64_t>(leaders.size()))) {
      break;
    }
  }
  int64_t others = 0;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t g = 0; g < groups; ++g) {
      const int64_t at = row * columns + layout.GroupBegin(g);
      others += !std::equal(mask.begin() + at, mask.begin() + at + layout.GroupSize(g), before.begin() + at);
    }
  }
  return others;
}

}  // namespace tamis
