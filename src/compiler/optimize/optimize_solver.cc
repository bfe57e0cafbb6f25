#include "src/compiler/optimize/optimize_solver.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace tamis {
namespace {

struct State {
  double error = 0, seconds = 0;
  uint32_t before = 0;  // index into the states of the layers before
  uint32_t option = 0;
};

// Keeps what no other state beats in both, by ascending error and descending seconds.
void KeepFrontier(std::vector<State>* states) {
  std::sort(states->begin(), states->end(), [](const State& a, const State& b) {
    return a.error != b.error ? a.error < b.error : a.seconds < b.seconds;
  });
  double least = std::numeric_limits<double>::infinity();
  size_t kept = 0;
  for (const State& state : *states) {
    if (state.seconds >= least) continue;
    least = state.seconds;
    (*states)[kept++] = state;
  }
  states->resize(kept);
}

// Rounds errors up to multiples of `step`, but never beyond `most`, which all of them keep.
void Coarsen(double step, double most, std::vector<State>* states) {
  for (State& state : *states)
    state.error = std::min(std::max(most, state.error), std::ceil(state.error / step) * step);
  KeepFrontier(states);
}

}  // namespace

std::vector<size_t> SolveChoice(std::span<const std::vector<LayerOption>> layers, double allowed) {
  // The least that the layers still to come add: states that it takes beyond the allowance lead nowhere.
  std::vector<double> least_after(layers.size() + 1, 0);
  for (size_t l = layers.size(); l-- > 0;) {
    double least = std::numeric_limits<double>::infinity();
    for (const LayerOption& option : layers[l]) least = std::min(least, option.error);
    least_after[l] = least_after[l + 1] + least;
  }
  // Sums of errors in another order may differ in their last bits.
  const double limit = allowed + 1e-12 * std::abs(allowed);
  std::vector<std::vector<State>> frontiers = {{State{}}};
  for (size_t l = 0; l < layers.size(); ++l) {
    const std::vector<State>& before = frontiers.back();
    std::vector<State> states;
    for (size_t s = 0; s < before.size(); ++s) {
      for (size_t o = 0; o < layers[l].size(); ++o) {
        const LayerOption& option = layers[l][o];
        const double error = before[s].error + option.error;
        if (error + least_after[l + 1] > limit) continue;
        states.push_back(
            {error, before[s].seconds + option.seconds, static_cast<uint32_t>(s), static_cast<uint32_t>(o)});
      }
    }
    KeepFrontier(&states);
    if (states.size() > kMostStates) {
      Coarsen(allowed / static_cast<double>(kMostStates), allowed - least_after[l + 1], &states);
    }
    if (states.empty()) return {};
    frontiers.push_back(std::move(states));
  }
  std::vector<size_t> chosen(layers.size());
  size_t at = frontiers.back().size() - 1;  // the most error, the least time
  for (size_t l = layers.size(); l-- > 0;) {
    const State& state = frontiers[l + 1][at];
    chosen[l] = state.option;
    at = state.before;
  }
  return chosen;
}

}  // namespace tamis
