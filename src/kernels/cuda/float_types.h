// The types that kernels of the CUDA backend read and write as numbers, computing in f32.
#pragma once

#include "tamis/dtype.h"

namespace tamis::cuda {

constexpr bool IsComputedFloat(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kFloat16 || dtype == DType::kBFloat16;
}

}  // namespace tamis::cuda
