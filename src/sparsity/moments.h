// Second moments of a layer's inputs in the dense network (X) and in the network as pruned so far (X^), over all rows
// that calibration has seen: what a reconstruction and every output error are computed from.
#pragma once

#include <cstdint>

#include <Eigen/Core>

#include "src/base/thread_pool.h"
#include "tamis/status.h"

namespace tamis {

using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Above this many columns three K x K matrices of doubles (and their factors) no longer fit a common machine.
inline constexpr int64_t kMaxMomentColumns = 6144;

// Not synchronised. Add may be called again after the matrices were read.
class Moments {
 public:
  // K = columns, at most kMaxMomentColumns (see CheckColumns).
  explicit Moments(int64_t columns);
  static Status CheckColumns(int64_t columns);

  // Rows [rows][columns] of f32, dense. `pruned` null or equal to `dense` means that both networks have the same input.
  void Add(const float* dense, const float* pruned, int64_t rows, ThreadPool& pool);
  // The moments of both row sets together, for a weight that several layers share.
  void Add(const Moments& other);

  int64_t columns() const { return columns_; }
  int64_t rows() const { return rows_; }
  // Both networks had the same inputs in every row: all three matrices are one.
  bool same() const { return same_; }
  // X^' X^, X' X^ and X' X, or the same about the means (sums of centred products) if `centred`.
  RowMatrix Pruned(bool centred) const;
  RowMatrix Cross(bool centred) const;
  RowMatrix Dense(bool centred) const;
  // Means of the rows; zero before any row was added.
  Eigen::VectorXd MeanDense() const;
  Eigen::VectorXd MeanPruned() const;

 private:
  int64_t columns_;
  int64_t rows_ = 0;
  bool same_ = true;
  RowMatrix pruned_;         // upper triangle
  RowMatrix cross_, dense_;  // empty while same_; of dense_ the upper triangle
  Eigen::VectorXd sum_pruned_, sum_dense_;
};

}  // namespace tamis
