#include "src/sparsity/refit.h"

namespace tamis {
namespace {

constexpr double kTolerance = 1e-10;  // of the preconditioned squared residual, against its start

// 0 where b is not positive: a row that has nothing left to gain stands still.
double Ratio(double a, double b) {
  return b > 0 ? a / b : 0;
}

}  // namespace

void RefitKept(const Objective& objective, const Mask& mask, int iterations, RowMatrix& weight) {
  using RowArray = Eigen::Array<double, 1, Eigen::Dynamic>;
  const Eigen::Index rows = weight.rows(), columns = weight.cols();
  const RowArray inverse_diagonal = objective.hessian().diagonal().cwiseInverse().transpose().array();
  const auto keep = [&](Eigen::Index row) {
    return Eigen::Map<const Eigen::Array<uint8_t, 1, Eigen::Dynamic>>(mask.data() + row * columns, columns)
        .cast<double>();
  };
  const auto each_row = [&](auto&& f) {
    objective.pool().ParallelFor(rows, 4, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) f(row);
    });
  };
  const Eigen::VectorXd errors_before = objective.DampedErrors(weight);
  RowMatrix refitted = weight, residual = objective.Descent(weight), direction(rows, columns), image(rows, columns);
  PackedOperand packed;
  Eigen::VectorXd square(rows);
  each_row([&](Eigen::Index row) {
    residual.row(row).array() *= keep(row);
    direction.row(row).array() = residual.row(row).array() * inverse_diagonal;
    square[row] = residual.row(row).dot(direction.row(row));
  });
  const double stop = kTolerance * square.sum();
  for (int i = 0; i < iterations && square.sum() > stop; ++i) {
    objective.TimesHessian(direction, &packed, &image);
    each_row([&](Eigen::Index row) {
      auto to = direction.row(row).array();
      auto left = residual.row(row).array();
      image.row(row).array() *= keep(row);
      const double step = Ratio(square[row], direction.row(row).dot(image.row(row)));
      refitted.row(row).array() += step * to;
      left -= step * image.row(row).array();
      const double next = (left * left * inverse_diagonal).sum();
      to = left * inverse_diagonal + Ratio(next, square[row]) * to;
      square[row] = next;
    });
  }
  const Eigen::VectorXd errors_after = objective.DampedErrors(refitted);
  for (Eigen::Index row = 0; row < rows; ++row) {
    if (errors_after[row] < errors_before[row]) weight.row(row) = refitted.row(row);
  }
}

}  // namespace tamis
