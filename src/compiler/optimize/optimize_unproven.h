// Networks that are within the budget by their estimate while too few samples were given to be sure: the user is told
// of the fastest, and how many would decide.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "src/compiler/optimize/optimize_budget.h"

namespace tamis {

class UnprovenNetworks {
 public:
  // `relative`: of the dense network's time. `quality` was measured on `samples`. A network that holds, or would with
  // no number of samples, is none of these.
  void Add(const std::string& label, double relative, const Budget& budget, const Quality& quality, int64_t samples);
  // A sentence; empty where none is clearly faster than what was chosen.
  std::string FasterThan(double relative) const;

 private:
  struct Network {
    std::string label;
    double relative;
    int64_t enough;  // samples
  };
  std::optional<Network> fastest_;
};

}  // namespace tamis
