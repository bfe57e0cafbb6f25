// Points of top-1 that changed scores cost, estimated from few samples.
#pragma once

#include <cstdint>
#include <span>

#include "tamis/tensor.h"

namespace tamis {

struct ScoreDrop {
  double estimate = 0, estimate_error = 0;  // points, and the standard error
  double counted = 0;                       // what these samples show, each once
  bool by_probabilities = false;            // a changed answer counts for its worth in the estimate
};

// `dense` and `ours` are scores [samples][classes] of the same samples, f32; `labels` has a class for each, or is
// empty: then what is counted are changed answers, and in the estimate each counts for what it is worth by the dense
// network's own probabilities (optimize_answer_worth.h).
//
// A hundred samples show one flipped answer or none, which is one point or none. So a sample is taken as its margin,
// the right class's score over the best other one: ours = s * dense + noise, with s by least squares over all scores,
// and the estimate is the drop over pairs of one sample's margin and the noise of another whose margin is about as
// large. An answer that is nearly lost counts for a part, whether it was lost or not, and so does one that is nearly
// won.
ScoreDrop EstimateScoreDrop(const Tensor& dense, const Tensor& ours, std::span<const int64_t> labels);

}  // namespace tamis
