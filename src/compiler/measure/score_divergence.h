// How far the answers of two classifiers are apart, as distributions over the classes.
#pragma once

#include <cstdint>
#include <vector>

#include "tamis/tensor.h"

namespace tamis {

// Whether all rows of scores [samples][classes], f32, are probabilities already.
bool AreProbabilities(const Tensor& scores);
// Logarithms of a row's probabilities: of its softmax, or of its own elements where they are `probabilities`.
std::vector<double> LogProbabilities(const float* row, int64_t classes, bool probabilities);

// Mean over the samples of the Kullback-Leibler divergence of `ours` from `dense`, in nats. Both are [samples][classes]
// in f32: class scores, of which the softmax is taken, or, where all rows of `dense` are probabilities, these. Not
// finite scores are infinitely far.
double MeanDivergence(const Tensor& dense, const Tensor& ours);

}  // namespace tamis
