#include "src/sparsity/alternate.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "src/sparsity/inverse_factor.h"

namespace tamis {
namespace {

// As shares of the inputs' energies. Found on layers of 384 and 1536 columns; the result hardly depends on them.
constexpr double kFirstPenalty = 0.05, kLastPenalty = 3, kPolePenalty = 0.3;

using RowArray = Eigen::Array<double, 1, Eigen::Dynamic>;

// (A + kPolePenalty diag(A))^-1.
Result<std::vector<float>> InverseAtPole(const Objective& objective, ThreadPool& pool) {
  RowMatrix penalised = objective.hessian();
  penalised.diagonal() *= 1 + kPolePenalty;
  const Eigen::Index k = penalised.cols();
  std::vector<float> factor;
  {
    TAMIS_ASSIGN_OR_RETURN(const RowMatrix upper, InverseFactor(std::move(penalised), pool));
    factor = ToF32(upper);
  }
  RowMatrix inverse = RowMatrix::Zero(k, k);
  const MatrixView view = {factor.data(), k, k, k};
  AddTransposedProduct(view, view, inverse.data(), k, true, pool);
  inverse.triangularView<Eigen::StrictlyLower>() = inverse.transpose();
  return ToF32(inverse);
}

}  // namespace

Result<Alternated> Alternate(const Objective& objective, const WeightLayout& layout, std::span<const int64_t> partner,
                             const MaskRule& rule, int turns, ThreadPool& pool) {
  TAMIS_ASSIGN_OR_RETURN(const std::vector<float> inverse, InverseAtPole(objective, pool));
  const int64_t rows = layout.rows, columns = layout.columns;
  const RowArray energy = objective.hessian().diagonal().transpose().array();
  Alternated result{objective.weight(), Mask(static_cast<size_t>(rows * columns), 1)};
  RowMatrix x = objective.weight(), u = RowMatrix::Zero(rows, columns), residual(rows, columns);
  RowMatrix descent = objective.shift();  // at x
  RowMatrix& z = result.weight;

  // What is kept of x + u by the rows that `row` leads, into z; the rest into u.
  const auto project = [&](int64_t row, double growth) {
    const int64_t pair = partner[static_cast<size_t>(row)];
    if (pair < row) return;
    const std::array<int64_t, 2> members = {row, pair};
    const size_t count = pair == row ? 1 : 2;
    std::vector<double> saliency(static_cast<size_t>(columns), 0);
    for (size_t m = 0; m < count; ++m) {
      for (int64_t i = 0; i < columns; ++i) {
        const double sum = x(members[m], i) + u(members[m], i);
        saliency[static_cast<size_t>(i)] += sum * sum * energy[i];
      }
    }
    uint8_t* kept = result.mask.data() + row * columns;
    KeepLargest(saliency, layout, rule, kept);
    for (size_t m = 0; m < count; ++m) {
      for (int64_t i = 0; i < columns; ++i) {
        double& dual = u(members[m], i);
        const double sum = x(members[m], i) + dual;
        z(members[m], i) = kept[i] ? sum : 0;
        dual = kept[i] ? 0 : sum / growth;
      }
    }
    if (count == 2) std::copy_n(kept, columns, result.mask.data() + pair * columns);
  };
  const auto each_row = [&](auto&& f) {
    pool.ParallelFor(rows, 4, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) f(row);
    });
  };

  const double growth = std::pow(kLastPenalty / kFirstPenalty, 1.0 / std::max(1, turns - 1));
  double penalty = kFirstPenalty;
  each_row([&](int64_t row) { project(row, 1); });
  u.setZero();
  PackedOperand packed;
  RowMatrix direction, image;
  for (int turn = 0; turn < turns; ++turn, penalty *= growth) {
    each_row([&](int64_t row) {
      residual.row(row).array() =
          descent.row(row).array() + penalty * energy * (z.row(row).array() - u.row(row).array() - x.row(row).array());
    });
    TimesF32(residual, inverse, columns, pool, &packed, &direction);
    objective.TimesHessian(direction, &packed, &image);
    each_row([&](int64_t row) {
      const auto p = direction.row(row).array();
      const auto q = image.row(row).array();
      const double curvature = (p * (q + penalty * energy * p)).sum();
      const double step = curvature > 0 ? (residual.row(row).array() * p).sum() / curvature : 0;
      x.row(row).array() += step * p;
      descent.row(row).array() -= step * q;
    });
    each_row([&](int64_t row) { project(row, growth); });
  }
  return result;
}

}  // namespace tamis
