// The factor of an inverse Hessian, which gives the inverse of every trailing block as well.
#pragma once

#include "src/base/thread_pool.h"
#include "src/sparsity/moments.h"
#include "tamis/status.h"

namespace tamis {

// Upper triangular U with H^-1 = U' U, for a symmetric positive definite H. Because H = R R' with R upper triangular
// (a Cholesky factorisation from the last row up) gives U = R^-1, and every trailing block of U is the same factor for
// the trailing block of H: the inverse Hessian of the columns that are still free. Error (kRuntime) if H is not
// positive definite in double precision.
Result<RowMatrix> InverseFactor(RowMatrix h, ThreadPool& pool);

}  // namespace tamis
