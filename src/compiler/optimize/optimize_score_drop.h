// Points of top-1 that changed scores cost, estimated from few samples.
#pragma once

#include <cstdint>
#include <span>

#include "tamis/tensor.h"

namespace tamis {

struct ScoreDrop {
  double estimate = 0, estimate_error = 0;  // points, and the standard error
  double counted = 0;                       // what these samples show, each once
};

// `dense` and `ours` are scores [samples][classes] of the same samples, f32; `labels` has a class for each, or is
// empty: then the dense network's own answers are the right ones.
//
// A hundred samples show one flipped answer or none, which is one point or none. So what compression did to the scores
// is taken apart from whose scores they were: ours = s * dense + residual, with s by least squares, and the estimate is
// the drop over pairs of one sample's dense scores and another's residual. Only samples whose first class leads by
// about as much are paired, since a network that is sure of an answer is also disturbed differently.
ScoreDrop EstimateScoreDrop(const Tensor& dense, const Tensor& ours, std::span<const int64_t> labels);

}  // namespace tamis
