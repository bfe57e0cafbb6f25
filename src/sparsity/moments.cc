#include "src/sparsity/moments.h"

#include <utility>

#include "src/sparsity/product.h"

namespace tamis {
namespace {

void AddSums(const float* data, int64_t rows, Eigen::VectorXd* sums) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t k = 0; k < sums->size(); ++k) (*sums)[k] += static_cast<double>(data[r * sums->size() + k]);
  }
}

void AddSquares(const float* data, int64_t rows, Eigen::VectorXd* squares) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t k = 0; k < squares->size(); ++k) {
      const auto x = static_cast<double>(data[r * squares->size() + k]);
      (*squares)[k] += x * x;
    }
  }
}

}  // namespace

Moments::Moments(int64_t columns, int64_t outputs)
    : columns_(columns),
      outputs_(outputs),
      inputs_(RowMatrix::Zero(columns, columns)),
      sum_inputs_(Eigen::VectorXd::Zero(columns)),
      sum_gaps_(Eigen::VectorXd::Zero(outputs)),
      gap_squares_(Eigen::VectorXd::Zero(outputs)) {
  TAMIS_ASSERT(CheckColumns(columns).ok());
}

Status Moments::CheckColumns(int64_t columns) {
  if (columns <= kMaxMomentColumns) return {};
  return UserError("{} inputs: reconstruction holds a square matrix of them and stops at {}; use magnitude", columns,
                   kMaxMomentColumns);
}

void Moments::Add(const float* inputs, const float* gaps, int64_t rows, ThreadPool& pool) {
  const MatrixView x = {inputs, rows, columns_, columns_};
  AddTransposedProduct(x, x, inputs_.data(), columns_, true, pool);
  AddSums(inputs, rows, &sum_inputs_);
  rows_ += rows;
  if (gaps == nullptr) return;
  if (same_) gaps_ = RowMatrix::Zero(outputs_, columns_);
  same_ = false;
  AddTransposedProduct({gaps, rows, outputs_, outputs_}, x, gaps_.data(), columns_, false, pool);
  AddSums(gaps, rows, &sum_gaps_);
  AddSquares(gaps, rows, &gap_squares_);
}

void Moments::Add(const Moments& other) {
  TAMIS_ASSERT(other.columns_ == columns_ && other.outputs_ == outputs_);
  if (!other.same_) {
    if (same_) gaps_ = RowMatrix::Zero(outputs_, columns_);
    same_ = false;
    gaps_ += other.gaps_;
  }
  inputs_ += other.inputs_;
  sum_inputs_ += other.sum_inputs_;
  sum_gaps_ += other.sum_gaps_;
  gap_squares_ += other.gap_squares_;
  rows_ += other.rows_;
}

RowMatrix Moments::Inputs(bool centred) const {
  RowMatrix h = inputs_.selfadjointView<Eigen::Upper>();
  if (centred) h.noalias() -= sum_inputs_ * MeanInput().transpose();
  return h;
}

RowMatrix Moments::TakeInputs(bool centred) && {
  RowMatrix h = std::move(inputs_);
  h.triangularView<Eigen::StrictlyLower>() = h.transpose();
  if (centred) h.noalias() -= sum_inputs_ * MeanInput().transpose();
  return h;
}

RowMatrix Moments::Gaps(bool centred) const {
  if (same_) return RowMatrix::Zero(outputs_, columns_);
  RowMatrix g = gaps_;
  if (centred) g.noalias() -= sum_gaps_ * MeanInput().transpose();
  return g;
}

Eigen::VectorXd Moments::GapSquares(bool centred) const {
  if (!centred) return gap_squares_;
  return (gap_squares_ - sum_gaps_.cwiseProduct(MeanGap())).cwiseMax(0);
}

Eigen::VectorXd Moments::MeanInput() const {
  return rows_ == 0 ? sum_inputs_ : sum_inputs_ / static_cast<double>(rows_);
}
Eigen::VectorXd Moments::MeanGap() const {
  return rows_ == 0 ? sum_gaps_ : sum_gaps_ / static_cast<double>(rows_);
}

}  // namespace tamis
