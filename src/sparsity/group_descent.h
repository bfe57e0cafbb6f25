// Local search over masks and weights at once.
#pragma once

#include <span>

#include "src/sparsity/magnitude.h"
#include "src/sparsity/objective.h"

namespace tamis {

// Lowers the damped objective of a 2:4 `weight` by block coordinate descent. Group after group gets, with all other
// groups of its row as they are, the pair of positions and the two weights that are best for the objective: with the
// descent direction r of the emptied group, positions P gain r_P' (A_PP)^-1 r_P. Rows that are each other's `partner`
// choose one pair for both. At most `sweeps` over all groups, fewer if masks hardly change any more. What a group's
// move means for others is applied by blocks of groups. No row, or pair of rows, ends worse than it began
// (to within the f32 products of the objective). Returns how many groups have another pair than at the start.
int64_t DescendByGroups(const Objective& objective, const WeightLayout& layout, std::span<const int64_t> partner,
                        int sweeps, Mask& mask, RowMatrix& weight, ThreadPool& pool);

}  // namespace tamis
