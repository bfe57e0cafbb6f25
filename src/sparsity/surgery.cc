#include "src/sparsity/surgery.h"

#include <array>
#include <limits>

#include "src/sparsity/objective.h"

namespace tamis {
namespace {

constexpr int64_t kGroupsPerBlock = 32;

using Eigen::Matrix4d;
using Eigen::Vector4d;

// One way to thin a group out: removing `dropped` costs |root w|^2 and the columns from the group on change by
// -(push w)' U[group rows]. Groups of fewer than four are padded with zeros.
struct Removal {
  std::array<bool, kGroup> dropped = {};
  Matrix4d cost;  // (F_SS)^-1, embedded in the group's columns
  Matrix4d push;  // U_gg[:, S] (F_SS)^-1, embedded likewise
};

std::vector<Removal> RemovalsOf(const RowMatrix& factor, int64_t column, int64_t columns) {
  const auto size = static_cast<int>(columns);
  Matrix4d u = Matrix4d::Zero();
  u.topLeftCorner(size, size) = factor.block(column, column, size, size);
  const Matrix4d f = u.transpose() * u;
  std::vector<Removal> removals;
  for (unsigned set = 1; set < 1U << size; ++set) {
    if (__builtin_popcount(set) != size - kGroupKept) continue;
    Removal removal;
    removal.cost.setZero();
    std::vector<int> members;
    for (int i = 0; i < size; ++i) {
      removal.dropped[static_cast<size_t>(i)] = (set >> i & 1) != 0;
      if (set >> i & 1) members.push_back(i);
    }
    if (members.size() == 1) {
      const int i = members[0];
      removal.cost(i, i) = 1 / f(i, i);
    } else {
      const int i = members[0], j = members[1];
      const double determinant = f(i, i) * f(j, j) - f(i, j) * f(i, j);
      removal.cost(i, i) = f(j, j) / determinant;
      removal.cost(j, j) = f(i, i) / determinant;
      removal.cost(i, j) = removal.cost(j, i) = -f(i, j) / determinant;
    }
    removal.push = u * removal.cost;
    removals.push_back(std::move(removal));
  }
  return removals;
}

// For rows with these elements in the group.
const Removal& Cheapest(const std::vector<Removal>& removals, std::span<const Vector4d> rows) {
  const Removal* best = removals.data();
  double least = std::numeric_limits<double>::infinity();
  for (const Removal& removal : removals) {
    double cost = 0;
    for (const Vector4d& w : rows) cost += w.dot(removal.cost * w);
    if (cost < least) {
      least = cost;
      best = &removal;
    }
  }
  return *best;
}

}  // namespace

Mask RemoveByGroups(const WeightLayout& layout, const RowMatrix& factor, std::span<const int64_t> partner,
                    RowMatrix& weight, ThreadPool& pool) {
  const int64_t groups = layout.GroupsPerRow();
  Mask mask(static_cast<size_t>(layout.rows * layout.columns), 1);
  for (int64_t first = 0; first < groups; first += kGroupsPerBlock) {
    const int64_t last = std::min(first + kGroupsPerBlock, groups);
    const int64_t begin = layout.GroupBegin(first);
    const int64_t end = last == groups ? layout.columns : layout.GroupBegin(last);
    RowMatrix pushed = RowMatrix::Zero(layout.rows, end - begin);
    std::vector<std::vector<Removal>> removals;
    for (int64_t g = first; g < last; ++g) {
      const int64_t column = layout.GroupBegin(g), size = layout.GroupSize(g);
      removals.push_back(size > kGroupKept ? RemovalsOf(factor, column, size) : std::vector<Removal>{});
    }
    pool.ParallelFor(layout.rows, 8, [&](int64_t row_begin, int64_t row_end) {
      for (int64_t leader = row_begin; leader < row_end; ++leader) {
        const int64_t other = partner[static_cast<size_t>(leader)];
        if (other < leader) continue;  // that row leads
        const std::array<int64_t, 2> rows = {leader, other};
        const size_t count = other == leader ? 1 : 2;
        for (int64_t g = first; g < last; ++g) {
          const auto& ways = removals[static_cast<size_t>(g - first)];
          if (ways.empty()) continue;
          const int64_t column = layout.GroupBegin(g), size = layout.GroupSize(g);
          std::array<Vector4d, 2> elements = {Vector4d::Zero(), Vector4d::Zero()};
          for (size_t r = 0; r < count; ++r) {
            for (int64_t i = 0; i < size; ++i) elements[r][i] = weight(rows[r], column + i);
          }
          const Removal& removal = Cheapest(ways, std::span(elements).first(count));
          for (size_t r = 0; r < count; ++r) {
            const int64_t row = rows[r];
            const Vector4d push = removal.push * elements[r];
            for (int64_t i = 0; i < size; ++i) {
              weight.row(row).segment(column, end - column) -=
                  push[i] * factor.row(column + i).segment(column, end - column);
              pushed(row, column - begin + i) = push[i];
            }
            for (int64_t i = 0; i < size; ++i) {
              if (!removal.dropped[static_cast<size_t>(i)]) continue;
              weight(row, column + i) = 0;
              mask[static_cast<size_t>(row * layout.columns + column + i)] = 0;
            }
          }
        }
      }
    });
    const int64_t rest = layout.columns - end;
    if (rest > 0) {
      weight.rightCols(rest) -= TimesF32(pushed, ToF32(factor.block(begin, end, end - begin, rest)), rest, pool);
    }
  }
  return mask;
}

}  // namespace tamis
