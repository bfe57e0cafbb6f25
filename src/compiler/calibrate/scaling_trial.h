// Which scaling of its inputs a classifier answers best to, without labels.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "tamis/session.h"
#include "tamis/status.h"

namespace tamis {

// What predictions (rows of `scores`, logits or probabilities) tell about the sample, in nats: the entropy of the mean
// prediction less the mean entropy of the predictions. 0 for a network that always answers the same, or never decides;
// at most the logarithm of the number of classes, and of the samples.
double PredictiveInformation(const Tensor& scores);

// Runs the network on at most 64 of the samples, evenly spaced, as they are and, unless they already tell a lot, with
// their float inputs scaled otherwise. Returns a sentence for the user if another scaling tells much more, or if nearly
// all answers are one; an empty string otherwise, and for networks without an output of class scores.
Result<std::string> TryScalings(Session& network, std::span<const NamedTensors> batches,
                                const std::function<bool()>& cancelled);

}  // namespace tamis
