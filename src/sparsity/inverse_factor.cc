#include "src/sparsity/inverse_factor.h"

#include <algorithm>
#include <utility>

#include <Eigen/Cholesky>

namespace tamis {
namespace {

using Block = Eigen::Ref<RowMatrix, 0, Eigen::OuterStride<>>;
constexpr Eigen::Index kSmall = 64;

// r (upper triangular) becomes its inverse: of [A B; 0 D] that is [A^-1, -A^-1 B D^-1; 0, D^-1].
void InvertUpper(Block r, ThreadPool& pool) {
  const Eigen::Index size = r.rows();
  if (size <= kSmall) {
    const RowMatrix inverse = r.triangularView<Eigen::Upper>().solve(RowMatrix::Identity(size, size));
    r.triangularView<Eigen::Upper>() = inverse;
    return;
  }
  const Eigen::Index half = size / 2;
  Block a = r.topLeftCorner(half, half);
  Block d = r.bottomRightCorner(size - half, size - half);
  Block b = r.topRightCorner(half, size - half);
  pool.Run(2, [&](int part) { InvertUpper(part == 0 ? a : d, pool); });
  pool.ParallelFor(b.rows(), kSmall, [&](int64_t begin, int64_t end) {
    b.middleRows(begin, end - begin) *= d.triangularView<Eigen::Upper>();
  });
  pool.ParallelFor(b.cols(), kSmall, [&](int64_t begin, int64_t end) {
    const RowMatrix product = a.triangularView<Eigen::Upper>() * b.middleCols(begin, end - begin);
    b.middleCols(begin, end - begin) = -product;
  });
}

}  // namespace

Result<RowMatrix> InverseFactor(RowMatrix h, ThreadPool& pool) {
  const Eigen::Index size = h.rows();
  h.reverseInPlace();
  const Eigen::LLT<Eigen::Ref<RowMatrix>> cholesky(h);  // in place
  if (cholesky.info() != Eigen::Success) {
    return RuntimeError("the second moments of {} inputs are not positive definite", size);
  }
  h.reverseInPlace();
  RowMatrix factor = std::move(h);
  factor.triangularView<Eigen::StrictlyLower>().setZero();
  InvertUpper(factor, pool);
  return factor;
}

}  // namespace tamis
