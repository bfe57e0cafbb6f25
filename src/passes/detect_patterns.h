// Which constant weights follow 2:4, and where one almost does.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "src/ir/graph.h"

namespace tamis {

struct PatternCheck {
  bool holds = false;  // at most two of each group of four are non-zero
  int64_t groups = 0;
  int64_t broken_groups = 0;
  std::optional<int64_t> first_broken;  // its number, counting row by row along the last axis
  double zero_fraction = 0;
};

// f32, bf16, f16 or int8 weights in groups of four along the last axis; a last group of fewer counts as padded with
// zeros.
PatternCheck CheckTwoFour(const Tensor& weight);
// The same question alone: answered at the first row that breaks the pattern.
bool HoldsTwoFour(const Tensor& weight);

// A line for every weight of a matrix product or convolution that is nearly 2:4: nine groups in ten hold and four
// elements in ten are zero, but some group is broken. It names the weight and the first broken group.
std::vector<std::string> PatternNotes(const Graph& graph);

}  // namespace tamis
