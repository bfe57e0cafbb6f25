// Masks and weights found in turns: the alternating direction method of multipliers.
#pragma once

#include <span>

#include "src/sparsity/magnitude.h"
#include "src/sparsity/objective.h"
#include "tamis/status.h"

namespace tamis {

// A sparse weight near a minimum of the damped objective, and its mask, from a dense X that is free and a sparse Z that
// follows it (Boyd et al. 2011; for pruning Boza 2024, Meng et al. 2024):
//   X = argmin f(X) + rho |X - Z + U|^2,   Z = X + U on the best positions by the rule,   U = U + X - Z,
// where squares count as much as the column's input energy. The penalty rho starts so small that masks change freely
// and grows until they stand; the whole row decides about each group, not only what is left of it as in a sweep from
// left to right. Rows that are each other's `partner` keep the same positions, the best for both together. X takes one
// step of conjugate gradients a turn, with the inverse at one rho as the preconditioner for all of them. The weights
// want a refit. Error (kRuntime) if the objective is not positive definite.
struct Alternated {
  RowMatrix weight;
  Mask mask;
};
Result<Alternated> Alternate(const Objective& objective, const WeightLayout& layout, std::span<const int64_t> partner,
                             const MaskRule& rule, int turns, ThreadPool& pool);

}  // namespace tamis
