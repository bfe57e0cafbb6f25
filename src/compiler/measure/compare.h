// How far two sets of outputs are apart.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tamis/session.h"

namespace tamis {

// Accumulates over batches; one object an output. Rows are the first dimension (samples), everything else is a row's
// elements. Sums in double.
class OutputComparison {
 public:
  // `a` is judged against the reference `b`. Shapes and dtypes must be equal; kUser error otherwise.
  Status Add(const Tensor& a, const Tensor& b);

  int64_t rows() const { return rows_; }
  // max |a - b| over max |b|, over everything added.
  double MaxRelativeError() const;
  double MaxAbsoluteError() const { return max_difference_; }
  // Root of sum (a - b)^2 over sum b^2.
  double RelativeRootError() const;
  // Mean over rows of the cosine of the angle between a's row and b's; a row that is zero on both sides counts 1.
  double MeanCosine() const;
  // Standard error of that mean: the rows are taken as independent samples.
  double MeanCosineError() const;
  double MinCosine() const { return rows_ > 0 ? min_cosine_ : 1; }
  // Share of rows with the same largest element; only for rank-2 outputs with at least two columns (else -1).
  double TopOneAgreement() const;
  // Rows whose largest element differs although b's largest leads its second by more than `kMargin`.
  int64_t ClearDisagreements() const { return clear_disagreements_; }
  static constexpr double kMargin = 1e-4;

 private:
  int64_t rows_ = 0, classified_ = 0, agreeing_ = 0, clear_disagreements_ = 0;
  double max_difference_ = 0, max_reference_ = 0, square_difference_ = 0, square_reference_ = 0;
  double cosine_sum_ = 0, cosine_square_sum_ = 0, min_cosine_ = 1;
};

// Index of the largest element of each row of a rank-2 float tensor.
std::vector<int64_t> TopOne(const Tensor& scores);

}  // namespace tamis
