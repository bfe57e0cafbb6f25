// The damped least-squares objective of one weight, and what it says of any candidate for it.
#pragma once

#include <span>
#include <vector>

#include "src/base/thread_pool.h"
#include "src/sparsity/moments.h"
#include "src/sparsity/product.h"

namespace tamis {

// f(V) = |Y - X^ V'|^2 + lambda |V - W|^2 for a weight W [N][K], inputs X^ of the pruned network, the outputs
// Y = X^ W' + E to be met, and lambda = damping * mean(diag(X^' X^)). With `centred` the outputs are compared about
// their means, which is f after the best choice of a bias. With A = X^' X^ + lambda I and S = E' X^:
//   -f'(V) / 2 = S - (V - W) A,   minimised by W* = W + S A^-1.
// Rows are independent of each other. Its functions use the pool.
class Objective {
 public:
  // Moments without rows count as those of uncorrelated inputs of unit variance; if all are zero, A = I. `rows`, if
  // given, picks the rows of the weight to look at. It holds one K x K matrix in double, the moments' own, and one in
  // f32.
  Objective(RowMatrix weight, Moments moments, double damping, bool centred, ThreadPool& pool,
            std::span<const int64_t> rows = {});
  void SetDamping(double damping);
  double damping() const { return damping_; }
  bool centred() const { return centred_; }
  // Frees the matrix in double: what is left knows errors.
  void KeepErrorsOnly() { hessian_.resize(0, 0); }

  const RowMatrix& weight() const { return weight_; }    // W
  const RowMatrix& hessian() const { return hessian_; }  // A
  const RowMatrix& shift() const { return shift_; }      // S
  const std::vector<float>& hessian32() const { return hessian32_; }
  // S - (V - W) A. The product is in f32, so the result is exact to about 1e-6 of the magnitude of its terms.
  RowMatrix Descent(const RowMatrix& v) const;
  // direction A, [N][K].
  RowMatrix TimesHessian(const RowMatrix& direction) const;
  // The same into `product`, with `packed` as memory to work in: for one product after the other.
  void TimesHessian(const RowMatrix& direction, PackedOperand* packed, RowMatrix* product) const;
  ThreadPool& pool() const { return pool_; }
  // f(V) by row, with and without the damping term.
  Eigen::VectorXd DampedErrors(const RowMatrix& v) const;
  Eigen::VectorXd Errors(const RowMatrix& v) const;
  // What a bias has to take so that the outputs of `v` have the means of Y, one number for each row.
  std::vector<float> BiasDelta(const RowMatrix& v) const;
  // |Y|^2 by row (about the mean if centred).
  const Eigen::VectorXd& energies() const { return energies_; }

 private:
  RowMatrix weight_;
  ThreadPool& pool_;
  bool centred_;
  double damping_ = 0, mean_diagonal_ = 0, lambda_ = 0;
  RowMatrix hessian_;
  std::vector<float> hessian32_;
  RowMatrix shift_;
  Eigen::VectorXd errors_at_weight_, energies_, mean_input_, mean_gap_;
};

// x times a row-major f32 matrix [x.cols()][columns], into `product`; `packed` is memory to work in.
void TimesF32(const RowMatrix& x, const std::vector<float>& matrix, int64_t columns, ThreadPool& pool,
              PackedOperand* packed, RowMatrix* product);
std::vector<float> ToF32(const RowMatrix& x);
RowMatrix ToMatrix(std::span<const float> weight, int64_t rows, int64_t columns);

}  // namespace tamis
