#include "src/sparsity/moments.h"

#include "src/sparsity/product.h"

namespace tamis {
namespace {

void AddSums(const float* data, int64_t rows, Eigen::VectorXd* sums) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t k = 0; k < sums->size(); ++k) (*sums)[k] += static_cast<double>(data[r * sums->size() + k]);
  }
}

RowMatrix Mirrored(const RowMatrix& upper) {
  return upper.selfadjointView<Eigen::Upper>();
}

}  // namespace

Moments::Moments(int64_t columns)
    : columns_(columns),
      pruned_(RowMatrix::Zero(columns, columns)),
      sum_pruned_(Eigen::VectorXd::Zero(columns)),
      sum_dense_(Eigen::VectorXd::Zero(columns)) {
  TAMIS_ASSERT(CheckColumns(columns).ok());
}

Status Moments::CheckColumns(int64_t columns) {
  if (columns <= kMaxMomentColumns) return {};
  return UserError("{} inputs: reconstruction holds a square matrix of them and stops at {}; use magnitude", columns,
                   kMaxMomentColumns);
}

void Moments::Add(const float* dense, const float* pruned, int64_t rows, ThreadPool& pool) {
  const bool same_block = pruned == nullptr || pruned == dense;
  if (!same_block && same_) {
    cross_ = Mirrored(pruned_);
    dense_ = pruned_;
    same_ = false;
  }
  const MatrixView x = {dense, rows, columns_, columns_};
  const MatrixView x_hat = {same_block ? dense : pruned, rows, columns_, columns_};
  AddTransposedProduct(x_hat, x_hat, pruned_.data(), columns_, true, pool);
  AddSums(x_hat.data, rows, &sum_pruned_);
  AddSums(x.data, rows, &sum_dense_);
  if (!same_) {
    AddTransposedProduct(x, x_hat, cross_.data(), columns_, false, pool);
    AddTransposedProduct(x, x, dense_.data(), columns_, true, pool);
  }
  rows_ += rows;
}

void Moments::Add(const Moments& other) {
  TAMIS_ASSERT(other.columns_ == columns_);
  if (!other.same_ && same_) {
    cross_ = Mirrored(pruned_);
    dense_ = pruned_;
    same_ = false;
  }
  if (!same_) {
    cross_ += other.same_ ? Mirrored(other.pruned_) : other.cross_;
    dense_ += other.same_ ? other.pruned_ : other.dense_;
  }
  pruned_ += other.pruned_;
  sum_pruned_ += other.sum_pruned_;
  sum_dense_ += other.sum_dense_;
  rows_ += other.rows_;
}

RowMatrix Moments::Pruned(bool centred) const {
  RowMatrix h = Mirrored(pruned_);
  if (centred) h.noalias() -= sum_pruned_ * MeanPruned().transpose();
  return h;
}

RowMatrix Moments::Cross(bool centred) const {
  if (same_) return Pruned(centred);
  RowMatrix g = cross_;
  if (centred) g.noalias() -= sum_dense_ * MeanPruned().transpose();
  return g;
}

RowMatrix Moments::Dense(bool centred) const {
  if (same_) return Pruned(centred);
  RowMatrix d = Mirrored(dense_);
  if (centred) d.noalias() -= sum_dense_ * MeanDense().transpose();
  return d;
}

Eigen::VectorXd Moments::MeanDense() const {
  return rows_ == 0 ? sum_dense_ : sum_dense_ / static_cast<double>(rows_);
}
Eigen::VectorXd Moments::MeanPruned() const {
  return rows_ == 0 ? sum_pruned_ : sum_pruned_ / static_cast<double>(rows_);
}

}  // namespace tamis
