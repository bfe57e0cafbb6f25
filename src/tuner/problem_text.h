// A kernel problem as one line of JSON: what the tuner sends to its worker and keys the timing cache by.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/kernels/kernel.h"

namespace tamis {

// Weights are described by dtype, dimensions, pattern and, where it is 2:4, whether outputs keep the same positions two
// by two (HasPairs), for kernels are faster then; the worker fills them with seeded random values. Small
// constants of integers and of floats of 8 bits (axes, shapes, zero points) travel with their elements, since they
// decide what the node computes.
std::string ProblemToText(const Problem& problem);

// A problem that owns all it points to.
struct OwnedProblem {
  Node node;
  std::vector<Tensor> constants;  // by input
  Problem problem;                // points into the two above
};
// Error (kUser) if the line is not one that ProblemToText makes.
Result<std::unique_ptr<OwnedProblem>> ProblemFromText(const std::string& text, uint64_t seed);

// Seeded elements: floats of a standard normal scaled by 0.5, integers and booleans 0 or 1 (valid indices anywhere).
// With kTwoFour two of every group of four along the last axis are zero, at positions that vary with the output; with
// `pairs` the first and the last of every 32 outputs keep the same ones, and so on inwards.
Tensor RandomTensor(DType dtype, const Dims& dims, Pattern pattern, uint64_t seed, bool pairs = false);

// Whether most outputs of a 2:4 weight [outputs, ...] have a partner with the same mask among their 32.
bool HasPairs(const Tensor& weight);

}  // namespace tamis
