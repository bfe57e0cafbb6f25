// Weights rounded to codes so that the errors of a row make up for one another.
#pragma once

#include <span>
#include <vector>

#include "src/base/thread_pool.h"
#include "src/sparsity/objective.h"

namespace tamis {

struct RoundedWeight {
  std::vector<float> weight;      // [N][K], multiples of the row's scale by -127 to 127; zero where it was zero
  std::vector<float> bias_delta;  // [N], to be added to the bias; empty unless the objective is centred
  double nearest_error = 0;       // |Y - Y^|^2 / |Y|^2 of the nearest codes,
  double output_error = 0;        // and of these
};

// Codes by cyclic coordinate descent on the damped objective of the layer (Behdin et al. 2023): column after column
// takes the best code with all others as they are, the first time with the ones behind it still unrounded, so that what
// rounding does to one is pushed on to the others. `start` [N][K] is what is rounded: the objective's weight, or what
// pruning made of it. Then what pruning has left to make up for is made up for as well. Zeros of `start` stay, so a 2:4
// pattern does. No row ends worse than with the nearest codes. `scales` has one number for each row.
RoundedWeight RoundToCodes(const Objective& objective, std::span<const float> start, std::span<const float> scales,
                           ThreadPool& pool);

}  // namespace tamis
