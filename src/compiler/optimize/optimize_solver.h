// The choice of one option a layer: least time within an allowed error.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace tamis {

struct LayerOption {
  double seconds = 0;  // what this option takes, any constant added
  double error = 0;    // what it adds to the network's error; not negative
};

// The index of the option of each layer with which the seconds add up to the least among all choices whose errors add
// up to at most `allowed`; empty if not even the most exact options do. Of choices of equal time the one of least error
// is taken. A multiple-choice knapsack, solved exactly by the frontier of (error, seconds) of the first layers; where
// that grows beyond `kMostStates`, errors are rounded up to a fraction of what is allowed, so that the result still
// holds and its seconds are those of an allowance less by at most layers / kMostStates of it.
inline constexpr size_t kMostStates = 20000;
std::vector<size_t> SolveChoice(std::span<const std::vector<LayerOption>> layers, double allowed);

}  // namespace tamis
