// The best weights under a given mask.
#pragma once

#include "src/sparsity/magnitude.h"
#include "src/sparsity/objective.h"

namespace tamis {

// Lowers the damped objective over the kept elements of every row, starting from `weight` (zero outside the mask), by
// at most `iterations` steps of conjugate gradients with a diagonal preconditioner; all rows advance together, each
// with its own step. No row ends worse than it began.
void RefitKept(const Objective& objective, const Mask& mask, int iterations, RowMatrix& weight);

}  // namespace tamis
