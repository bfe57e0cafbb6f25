// Several elementwise operators in one pass over the elements.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "src/kernels/elementwise/cuda/elementwise.h"

namespace tamis::cuda {

struct ChainElementsStep {
  ElementwiseStep step;
  // Of inputs 0, 1, ..., then the steps before. The one just before is still in registers: kLast.
  int left = 0, right = 0;
  bool kept = false;  // a later step than the next one reads it
};

inline constexpr int kChainInputs = 6, kChainSteps = 12, kChainLast = -1;

// Operands of f32, f16 or bf16 each on its own; arithmetic in f32.
struct ChainElementsArgs {
  const void* x[kChainInputs] = {};
  void* y = nullptr;
  DType x_dtypes[kChainInputs] = {}, y_dtype = DType::kFloat32;
  int inputs = 0, count = 0;
  ChainElementsStep steps[kChainSteps];
  int64_t elements = 0;
  int rank = 1;  // of the loops over y, neighbouring dimensions merged
  int64_t dims[8] = {};
  int64_t strides[kChainInputs][8] = {};  // elements; 0 where broadcast
  int neighbours = 1;                     // along the last loop that may be loaded at once
};

cudaError_t LaunchChainElements(const ChainElementsArgs& args, cudaStream_t stream);

}  // namespace tamis::cuda
