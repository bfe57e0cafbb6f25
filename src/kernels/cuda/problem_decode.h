// From the C interface's problem to the IR's.
#pragma once

#include <memory>
#include <vector>

#include "src/cuda/api.h"
#include "src/kernels/kernel.h"

namespace tamis::cuda {

// A problem that owns all it points to but the constants' elements.
struct DecodedProblem {
  Node node;
  std::vector<Tensor> constants;  // by input
  Problem problem;                // points into the two above
};
std::unique_ptr<DecodedProblem> DecodeProblem(const TamisCudaProblem& problem);

}  // namespace tamis::cuda
