// Second moments of a layer's inputs in the network as pruned so far, and what its outputs there lack of the dense
// network's, over all rows that calibration has seen: what a reconstruction and every output error are computed from.
#pragma once

#include <cstdint>
#include <span>

#include <Eigen/Core>

#include "src/base/thread_pool.h"
#include "tamis/status.h"

namespace tamis {

using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Above this many columns three K x K matrices of doubles (and their factors) no longer fit a common machine.
inline constexpr int64_t kMaxMomentColumns = 6144;

// With X^ the inputs [rows][K] in the pruned network and W the dense weight [N][K], the outputs to be met are
// Y = X^ W' + E. The gaps E [rows][N] hold whatever this layer is asked to make up for: inputs that differ, and a
// residual that the layer's outputs are added to. Not synchronised. Add may be called again after the matrices were
// read.
class Moments {
 public:
  // K = columns, at most kMaxMomentColumns (see CheckColumns); N = outputs.
  Moments(int64_t columns, int64_t outputs);
  static Status CheckColumns(int64_t columns);

  // Rows [rows][columns] and [rows][outputs] of f32, dense. `gaps` null: they are zero. `shares`, if given, says how
  // often each row counts.
  void Add(const float* inputs, const float* gaps, int64_t rows, ThreadPool& pool, std::span<const float> shares = {});
  // The moments of both row sets together, for a weight that several layers share.
  void Add(const Moments& other);

  int64_t columns() const { return columns_; }
  int64_t outputs() const { return outputs_; }
  int64_t rows() const { return rows_; }
  // No row had a gap.
  bool same() const { return same_; }
  // X^' X^ and E' X^ [N][K], or the same about the means (sums of centred products) if `centred`; diag(E' E).
  RowMatrix Inputs(bool centred) const;
  // The same without a second K x K matrix; the moments are used up.
  RowMatrix TakeInputs(bool centred) &&;
  RowMatrix Gaps(bool centred) const;
  Eigen::VectorXd GapSquares(bool centred) const;
  // Means of the rows; zero before any row was added.
  Eigen::VectorXd MeanInput() const;
  Eigen::VectorXd MeanGap() const;

 private:
  int64_t columns_, outputs_;
  int64_t rows_ = 0;
  double counted_ = 0;  // the sum of the rows' shares
  bool same_ = true;
  RowMatrix inputs_;  // upper triangle
  RowMatrix gaps_;    // empty while same_
  Eigen::VectorXd sum_inputs_, sum_gaps_, gap_squares_;
};

}  // namespace tamis
