#include "src/sparsity/refit.h"

namespace tamis {
namespace {

constexpr double kTolerance = 1e-10;  // of the preconditioned squared residual, against its start

Eigen::VectorXd RowDots(const RowMatrix& a, const RowMatrix& b) {
  return a.cwiseProduct(b).rowwise().sum();
}

// a / b by element, 0 where b is not positive: a row that has nothing left to gain stands still.
Eigen::VectorXd Ratio(const Eigen::VectorXd& a, const Eigen::VectorXd& b) {
  Eigen::VectorXd ratio(a.size());
  for (Eigen::Index i = 0; i < a.size(); ++i) ratio[i] = b[i] > 0 ? a[i] / b[i] : 0;
  return ratio;
}

}  // namespace

void RefitKept(const Objective& objective, const Mask& mask, int iterations, RowMatrix& weight) {
  RowMatrix keep(weight.rows(), weight.cols());
  for (Eigen::Index i = 0; i < keep.size(); ++i) keep.data()[i] = mask[static_cast<size_t>(i)];
  const Eigen::RowVectorXd inverse_diagonal = objective.hessian().diagonal().cwiseInverse().transpose();
  const auto precondition = [&](const RowMatrix& r) -> RowMatrix {
    return (r.array().rowwise() * inverse_diagonal.array()).matrix();
  };
  const Eigen::VectorXd errors_before = objective.DampedErrors(weight);
  RowMatrix refitted = weight;
  RowMatrix residual = objective.Descent(weight).cwiseProduct(keep);
  RowMatrix z = precondition(residual);
  RowMatrix direction = z;
  Eigen::VectorXd square = RowDots(residual, z);
  const double stop = kTolerance * square.sum();
  for (int i = 0; i < iterations && square.sum() > stop; ++i) {
    const RowMatrix image = objective.TimesHessian(direction).cwiseProduct(keep);
    const Eigen::VectorXd step = Ratio(square, RowDots(direction, image));
    refitted += step.asDiagonal() * direction;
    residual -= step.asDiagonal() * image;
    z = precondition(residual);
    const Eigen::VectorXd next = RowDots(residual, z);
    direction = z + Ratio(next, square).asDiagonal() * direction;
    square = next;
  }
  const Eigen::VectorXd errors_after = objective.DampedErrors(refitted);
  for (Eigen::Index row = 0; row < weight.rows(); ++row) {
    if (errors_after[row] < errors_before[row]) weight.row(row) = refitted.row(row);
  }
}

}  // namespace tamis
