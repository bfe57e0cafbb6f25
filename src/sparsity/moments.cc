#include "src/sparsity/moments.h"

#include <cmath>
#include <utility>
#include <vector>

#include "src/sparsity/product.h"

namespace tamis {
namespace {

float ShareOf(std::span<const float> shares, int64_t row) {
  return shares.empty() ? 1.0F : shares[static_cast<size_t>(row)];
}

// Columns go to threads, so that every sum has its rows in their order however many there are.
constexpr int64_t kColumnsAtOnce = 64;

void AddSums(const float* data, int64_t rows, std::span<const float> shares, ThreadPool& pool, Eigen::VectorXd* sums) {
  const int64_t columns = sums->size();
  pool.ParallelFor(columns, kColumnsAtOnce, [&](int64_t begin, int64_t end) {
    for (int64_t r = 0; r < rows; ++r) {
      const double share = ShareOf(shares, r);
      for (int64_t k = begin; k < end; ++k) (*sums)[k] += share * static_cast<double>(data[r * columns + k]);
    }
  });
}

void AddSquares(const float* data, int64_t rows, std::span<const float> shares, ThreadPool& pool,
                Eigen::VectorXd* squares) {
  const int64_t columns = squares->size();
  pool.ParallelFor(columns, kColumnsAtOnce, [&](int64_t begin, int64_t end) {
    for (int64_t r = 0; r < rows; ++r) {
      const double share = ShareOf(shares, r);
      for (int64_t k = begin; k < end; ++k) {
        const auto x = static_cast<double>(data[r * columns + k]);
        (*squares)[k] += share * x * x;
      }
    }
  });
}

// Rows times the roots of their shares, in `room`, or where they are if they all count once.
const float* Scaled(const float* data, int64_t rows, int64_t columns, std::span<const float> shares,
                    std::vector<float>* room) {
  if (shares.empty()) return data;
  room->resize(static_cast<size_t>(rows * columns));
  for (int64_t r = 0; r < rows; ++r) {
    const float root = std::sqrt(ShareOf(shares, r));
    for (int64_t k = 0; k < columns; ++k) (*room)[static_cast<size_t>(r * columns + k)] = root * data[r * columns + k];
  }
  return room->data();
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

void Moments::Add(const float* inputs, const float* gaps, int64_t rows, ThreadPool& pool,
                  std::span<const float> shares) {
  TAMIS_ASSERT(shares.empty() || static_cast<int64_t>(shares.size()) == rows);
  std::vector<float> room, gap_room;
  const MatrixView x = {Scaled(inputs, rows, columns_, shares, &room), rows, columns_, columns_};
  AddTransposedProduct(x, x, inputs_.data(), columns_, true, pool);
  AddSums(inputs, rows, shares, pool, &sum_inputs_);
  rows_ += rows;
  for (int64_t r = 0; r < rows; ++r) counted_ += ShareOf(shares, r);
  if (gaps == nullptr) return;
  if (same_) gaps_ = RowMatrix::Zero(outputs_, columns_);
  same_ = false;
  const MatrixView e = {Scaled(gaps, rows, outputs_, shares, &gap_room), rows, outputs_, outputs_};
  AddTransposedProduct(e, x, gaps_.data(), columns_, false, pool);
  AddSums(gaps, rows, shares, pool, &sum_gaps_);
  AddSquares(gaps, rows, shares, pool, &gap_squares_);
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
  counted_ += other.counted_;
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
  return counted_ == 0 ? sum_inputs_ : sum_inputs_ / counted_;
}
Eigen::VectorXd Moments::MeanGap() const {
  return counted_ == 0 ? sum_gaps_ : sum_gaps_ / counted_;
}

}  // namespace tamis
