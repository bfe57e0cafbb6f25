// How far the answers of two classifiers are apart, as distributions over the classes.
#pragma once

#include "tamis/tensor.h"

namespace tamis {

// Mean over the samples of the Kullback-Leibler divergence of `ours` from `dense`, in nats. Both are [samples][classes]
// in f32: class scores, of which the softmax is taken, or, where all rows of `dense` are probabilities, these. Not
// finite scores are infinitely far.
double MeanDivergence(const Tensor& dense, const Tensor& ours);

}  // namespace tamis
