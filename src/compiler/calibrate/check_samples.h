// Whether samples can stand for what a network will see: what can be told without labels.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "src/ir/graph.h"
#include "tamis/session.h"
#include "tamis/status.h"

namespace tamis {

// What makes samples useless, all of it in one error (kUser): values that are not finite, with the samples that hold
// them; a float input that is zero in every sample, or integers that are all zero in every input. Empty batches pass.
Status CheckInputs(const Graph& graph, std::span<const NamedTensors> batches);

struct SampleCheckOptions {
  int threads = 0;
  std::function<bool()> cancelled = {};
};

// CheckInputs, and what should be known though the work can go on; a sentence each:
// - a single sample, or very few; samples that occur more than once; samples that are all zero;
// - inputs that are not normalised as the network expects. The network runs on some of the samples as they are, with
//   every channel brought to mean 0 and deviation 1, and scaled to [0, 1] and to [0, 255]. What its class scores tell
//   about the sample (the entropy of the mean prediction less the mean entropy of the predictions) is greatest for
//   inputs as they were in training. Where another scaling tells clearly more, the notice says which. Networks without
//   class scores, inputs in another order of the channels, and a scaling that changes little can't be told this way;
// - answers that are the same for nearly every sample.
Result<std::vector<std::string>> CheckSamples(const Graph& simplified, std::span<const NamedTensors> batches,
                                              const SampleCheckOptions& options);

}  // namespace tamis
