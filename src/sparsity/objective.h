// The damped least-squares objective of one weight, and what it says of any candidate for it.
#pragma once

#include <vector>

#include "src/base/thread_pool.h"
#include "src/sparsity/moments.h"

namespace tamis {

// f(V) = |X W' - X^ V'|^2 + lambda |V - W|^2 for a weight W [N][K], inputs X of the dense and X^ of the pruned network,
// and lambda = damping * mean(diag(X^' X^)). With `centred` the outputs are compared about their means, which is f
// after the best choice of a bias. With A = X^' X^ + lambda I and S = W (X' X^ - X^' X^):
//   -f'(V) / 2 = S - (V - W) A,   minimised by W* = W + S A^-1.
// Rows are independent of each other. Read-only after construction; its functions use the pool.
class Objective {
 public:
  // Moments that hold no rows, or zeros only, count as A = I.
  Objective(RowMatrix weight, const Moments& moments, double damping, bool centred, ThreadPool& pool);

  const RowMatrix& weight() const { return weight_; }    // W
  const RowMatrix& hessian() const { return hessian_; }  // A
  const RowMatrix& shift() const { return shift_; }      // S
  // S - (V - W) A. The product is in f32, so the result is exact to about 1e-6 of the magnitude of its terms.
  RowMatrix Descent(const RowMatrix& v) const;
  // direction A, [N][K].
  RowMatrix TimesHessian(const RowMatrix& direction) const;
  // f(V) by row, with and without the damping term.
  Eigen::VectorXd DampedErrors(const RowMatrix& v) const;
  Eigen::VectorXd Errors(const RowMatrix& v) const;
  // |X W'|^2 by row (about the mean if centred).
  const Eigen::VectorXd& energies() const { return energies_; }

 private:
  RowMatrix weight_;
  ThreadPool& pool_;
  double lambda_ = 0;
  RowMatrix hessian_;
  std::vector<float> hessian32_;
  RowMatrix shift_;
  Eigen::VectorXd errors_at_weight_, energies_;
};

// x times a row-major f32 matrix [x.cols()][columns].
RowMatrix TimesF32(const RowMatrix& x, const std::vector<float>& matrix, int64_t columns, ThreadPool& pool);
std::vector<float> ToF32(const RowMatrix& x);

}  // namespace tamis
