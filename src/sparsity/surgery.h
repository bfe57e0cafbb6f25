// Optimal brain surgery in groups of four.
#pragma once

#include <span>

#include "src/base/thread_pool.h"
#include "src/sparsity/magnitude.h"
#include "src/sparsity/moments.h"

namespace tamis {

// Makes `weight` [N][K] 2:4 and returns the mask. Groups are taken from left to right; each drops the elements whose
// joint removal costs the least, w_S (F_SS)^-1 w_S / 2, where F is the inverse Hessian of the columns from this group
// on, and all those columns move to make up for it (Hassibi & Stork 1993). `factor` is InverseFactor of the Hessian;
// updates are applied lazily by blocks (Frantar & Alistarh 2023), with the kept elements of the group itself still free
// to move. Rows that are each other's `partner` (a row alone is its own) drop the same elements, those whose removal
// costs both together the least.
Mask RemoveByGroups(const WeightLayout& layout, const RowMatrix& factor, std::span<const int64_t> partner,
                    RowMatrix& weight, ThreadPool& pool);

}  // namespace tamis
