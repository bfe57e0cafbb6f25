// Samples that a network has never seen, made of those that it may have been trained on.
#pragma once

#include <span>
#include <vector>

#include "tamis/session.h"

namespace tamis {

// Calibration samples are often a network's training samples. It is surer of those than of any others, so fewer of its
// answers change when it is compressed: a figure that promises too much. Each sample is mixed with one of another batch
// (Zhang et al. 2018), `share` of that and the rest of itself; it keeps the label of the larger part. Inputs that are
// not f32 can't be mixed: then the result is empty.
std::vector<NamedTensors> MixSamples(std::span<const NamedTensors> batches, float share);

}  // namespace tamis
