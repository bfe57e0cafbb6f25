// Numbers as codes of float8e4m3fn with one scale, and back.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "tamis/dtype.h"

namespace tamis::cuda {

struct Float8ElementsArgs {
  const void* x = nullptr;
  void* y = nullptr;
  int64_t count = 0;
  DType numbers = DType::kFloat16;  // f16, bf16 or f32: of x, or with `decode` of y
  float scale = 1;                  // number = scale * code
  bool decode = false;
};

// Codes are the nearest, ties to even; what is beyond the largest becomes that, NaN stays NaN.
cudaError_t LaunchFloat8Elements(const Float8ElementsArgs& args, cudaStream_t stream);

}  // namespace tamis::cuda
