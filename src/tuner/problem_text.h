// A kernel problem as one line of JSON: what the tuner sends to its worker and keys the timing cache by.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/kernels/kernel.h"

namespace tamis {

// Weights are described by dtype, dimensions and pattern only; the worker fills them with seeded random values. Small
// integer constants (axes, shapes) travel with their elements, since they decide what the node computes.
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
// With kTwoFour two of every group of four along the last axis are zero, at varying positions.
Tensor RandomTensor(DType dtype, const Dims& dims, Pattern pattern, uint64_t seed);

}  // namespace tamis
