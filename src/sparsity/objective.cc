#include "src/sparsity/objective.h"

#include <algorithm>

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

RowMatrix ToMatrix(std::span<const float> weight, int64_t rows, int64_t columns) {
  RowMatrix matrix(rows, columns);
  std::copy(weight.begin(), weight.end(), matrix.data());
  return matrix;
}

void TimesF32(const RowMatrix& x, const std::vector<float>& matrix, int64_t columns, ThreadPool& pool,
              PackedOperand* packed, RowMatrix* product) {
  packed->PackTransposed(x.data(), x.rows(), x.cols(), pool);
  product->setZero(x.rows(), columns);
  AddTransposedProduct(*packed, {matrix.data(), x.cols(), columns, columns}, product->data(), columns, false, pool);
}

Objective::Objective(RowMatrix weight, Moments moments, double damping, bool centred, ThreadPool& pool,
                     std::span<const int64_t> rows)
    : weight_(std::move(weight)),
      pool_(pool),
      centred_(centred),
      mean_input_(moments.MeanInput()),
      mean_gap_(moments.MeanGap()) {
  const Eigen::Index k = weight_.cols();
  TAMIS_ASSERT(k == moments.columns() && weight_.rows() == moments.outputs());
  shift_ = moments.Gaps(centred);
  errors_at_weight_ = moments.GapSquares(centred);
  const bool known = moments.rows() > 0;
  hessian_ = std::move(moments).TakeInputs(centred);
  if (!known) hessian_.setIdentity();
  if (!rows.empty()) {
    const std::vector<Eigen::Index> picked(rows.begin(), rows.end());
    weight_ = RowMatrix(weight_(picked, Eigen::all));
    shift_ = RowMatrix(shift_(picked, Eigen::all));
    errors_at_weight_ = Eigen::VectorXd(errors_at_weight_(picked));
    mean_gap_ = Eigen::VectorXd(mean_gap_(picked));
  }
  mean_diagonal_ = hessian_.trace() / static_cast<double>(k);
  hessian32_ = ToF32(hessian_);
  energies_ = (RowDots(TimesHessian(weight_), weight_) + 2 * RowDots(shift_, weight_) + errors_at_weight_).cwiseMax(0);
  SetDamping(damping);
}

void Objective::SetDamping(double damping) {
  const double before = lambda_;
  damping_ = damping;
  lambda_ = damping * mean_diagonal_;
  if (lambda_ <= 0) lambda_ = 1;
  hessian_.diagonal().array() += lambda_ - before;
  const Eigen::Index k = hessian_.cols();
  for (Eigen::Index i = 0; i < k; ++i) {
    hessian32_[static_cast<size_t>(i * k + i)] = static_cast<float>(hessian_(i, i));
  }
}

RowMatrix Objective::TimesHessian(const RowMatrix& direction) const {
  PackedOperand packed;
  RowMatrix product;
  TimesHessian(direction, &packed, &product);
  return product;
}

void Objective::TimesHessian(const RowMatrix& direction, PackedOperand* packed, RowMatrix* product) const {
  TimesF32(direction, hessian32_, weight_.cols(), pool_, packed, product);
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

std::vector<float> Objective::BiasDelta(const RowMatrix& v) const {
  const Eigen::VectorXd delta = (weight_ - v) * mean_input_ + mean_gap_;
  return {delta.begin(), delta.end()};
}

}  // namespace tamis
