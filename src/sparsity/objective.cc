#include "src/sparsity/objective.h"

#include "src/sparsity/product.h"

namespace tamis {
namespace {

Eigen::VectorXd RowDots(const RowMatrix& a, const RowMatrix& b) {
  return a.cwiseProduct(b).rowwise().sum();
}

}  // namespace

std::vector<float> ToF32(const RowMatrix& x) {
  std::vector<float> result(static_cast<size_t>(x.size()));
  for (Eigen::Index i = 0; i < x.size(); ++i) result[static_cast<size_t>(i)] = static_cast<float>(x.data()[i]);
  return result;
}

RowMatrix TimesF32(const RowMatrix& x, const std::vector<float>& matrix, int64_t columns, ThreadPool& pool) {
  const std::vector<float> transposed = ToF32(x.transpose());
  RowMatrix result = RowMatrix::Zero(x.rows(), columns);
  AddTransposedProduct({transposed.data(), x.cols(), x.rows(), x.rows()}, {matrix.data(), x.cols(), columns, columns},
                       result.data(), columns, false, pool);
  return result;
}

Objective::Objective(RowMatrix weight, const Moments& moments, double damping, bool centred, ThreadPool& pool)
    : weight_(std::move(weight)), pool_(pool), hessian_(moments.Pruned(centred)) {
  const Eigen::Index k = weight_.cols();
  TAMIS_ASSERT(k == moments.columns());
  energies_ = RowDots(TimesF32(weight_, ToF32(moments.Dense(centred)), k, pool), weight_);
  if (moments.same()) {
    shift_ = RowMatrix::Zero(weight_.rows(), k);
    errors_at_weight_ = Eigen::VectorXd::Zero(weight_.rows());
  } else {
    RowMatrix difference = moments.Cross(centred) - hessian_;
    shift_ = TimesF32(weight_, ToF32(difference), k, pool);
    // D - 2 G + H: the moments of X - X^ as seen by a quadratic form.
    difference = moments.Dense(centred) - hessian_ - 2 * difference;
    errors_at_weight_ = RowDots(TimesF32(weight_, ToF32(difference), k, pool), weight_).cwiseMax(0);
  }
  lambda_ = damping * hessian_.trace() / static_cast<double>(k);
  if (lambda_ <= 0) lambda_ = 1;
  hessian_.diagonal().array() += lambda_;
  hessian32_ = ToF32(hessian_);
}

RowMatrix Objective::TimesHessian(const RowMatrix& direction) const {
  return TimesF32(direction, hessian32_, hessian_.cols(), pool_);
}

RowMatrix Objective::Descent(const RowMatrix& v) const {
  return shift_ - TimesHessian(v - weight_);
}

Eigen::VectorXd Objective::DampedErrors(const RowMatrix& v) const {
  const RowMatrix delta = v - weight_;
  return errors_at_weight_ + RowDots(delta, TimesHessian(delta)) - 2 * RowDots(delta, shift_);
}

Eigen::VectorXd Objective::Errors(const RowMatrix& v) const {
  return (DampedErrors(v) - lambda_ * (v - weight_).rowwise().squaredNorm()).cwiseMax(0);
}

}  // namespace tamis
