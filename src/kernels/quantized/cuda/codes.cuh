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

// How numbers in units of their codes become codes: u8 ones, of which those of s8 are the same with the highest bit
// flipped once the zero point counts from -128.
struct CodeShift {
  float shift;
  uint32_t flips;  // of four codes
};
__device__ __forceinline__ CodeShift ShiftOf(DType dtype, int zero) {
  return dtype == DType::kInt8 ? CodeShift{static_cast<float>(zero + 128), 0x80808080u}
                               : CodeShift{static_cast<float>(zero), 0u};
}
// Rounded to even before the zero point is added, saturated. `low` becomes the lowest byte, `above` lies over the two.
__device__ __forceinline__ uint32_t PackCodes2(float low, float high, CodeShift to, uint32_t above = 0) {
  uint32_t codes;
  asm("cvt.pack.sat.u8.s32.b32 %0, %1, %2, %3;"
      : "=r"(codes)
      : "r"(__float2int_rn(rintf(high) + to.shift)), "r"(__float2int_rn(rintf(low) + to.shift)), "r"(above));
  return codes;
}
__device__ __forceinline__ uint32_t PackCodes4(const float* values, CodeShift to) {
  return PackCodes2(values[0], values[1], to, PackCodes2(values[2], values[3], to)) ^ to.flips;
}
__device__ __forceinline__ uint2 PackCodes8(const float (&values)[8], int zero, DType dtype) {
  const CodeShift to = ShiftOf(dtype, zero);
  return make_uint2(PackCodes4(values, to), PackCodes4(values + 4, to));
}

// Element i of codes or numbers, without scale or zero point.
__device__ __forceinline__ float LoadElement(const void* from, DType dtype, int64_t i) {
  if (dtype == DType::kUInt8) return static_cast<float>(static_cast<const uint8_t*>(from)[i]);
  if (dtype == DType::kInt8) return static_cast<float>(static_cast<const int8_t*>(from)[i]);
  return LoadFloat(from, dtype, i);
}
// As a number.
__device__ __forceinline__ float LoadNumber(const void* from, DType dtype, int64_t i, float scale, int zero) {
  const float x = LoadElement(from, dtype, i);
  return dtype == DType::kUInt8 || dtype == DType::kInt8 ? scale * (x - static_cast<float>(zero)) : x;
}

}  // namespace tamis::cuda
