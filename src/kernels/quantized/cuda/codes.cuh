// Codes and numbers, one element at a time.
#pragma once

#include "src/kernels/cuda/device.cuh"

namespace tamis::cuda {

// round(x / scale) + zero in the type, to even.
__device__ __forceinline__ int QuantizedCode(float x, float scale, int zero, DType dtype) {
  const int low = dtype == DType::kUInt8 ? 0 : -128;
  // Within reach of int32, where __float2int_rn saturates, the sum must not wrap.
  const int code = __float2int_rn(fminf(fmaxf(__fdiv_rn(x, scale), -65536.0f), 65536.0f)) + zero;
  return min(max(code, low), low + 255);
}

// Element i of codes or numbers, without scale or zero point.
__device__ __forceinline__ float LoadElement(const void* from, DType dtype, int64_t i) {
  if (dtype == DType::kUInt8) return static_cast<float>(static_cast<const uint8_t*>(from)[i]);
  if (dtype == DType::kInt8) return static_cast<float>(static_cast<const int8_t*>(from)[i]);
  return LoadFloat(from, dtype, i);
}

}  // namespace tamis::cuda
