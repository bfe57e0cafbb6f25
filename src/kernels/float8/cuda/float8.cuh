// Device code of float8e4m3fn numbers, from Ada on an instruction for two.
#pragma once

#include <cuda_fp8.h>

#include <cstdint>

namespace tamis::cuda {

// The first number in the lowest byte. Saturated; NaN is 0x7f.
__device__ __forceinline__ uint32_t EncodeFloat8(float a, float b, float c, float d) {
  const uint32_t low = __nv_cvt_float2_to_fp8x2(make_float2(a, b), __NV_SATFINITE, __NV_E4M3);
  const uint32_t high = __nv_cvt_float2_to_fp8x2(make_float2(c, d), __NV_SATFINITE, __NV_E4M3);
  return low | high << 16;
}
__device__ __forceinline__ uint2 EncodeFloat8(const float (&v)[8]) {
  return make_uint2(EncodeFloat8(v[0], v[1], v[2], v[3]), EncodeFloat8(v[4], v[5], v[6], v[7]));
}

__device__ __forceinline__ float DecodeFloat8(uint8_t code) {
  return __half2float(__half(__nv_cvt_fp8_to_halfraw(code, __NV_E4M3)));
}
__device__ __forceinline__ void DecodeFloat8(uint2 codes, float (&v)[8]) {
#pragma unroll
  for (int i = 0; i < 8; ++i) v[i] = DecodeFloat8(static_cast<uint8_t>((i < 4 ? codes.x : codes.y) >> i % 4 * 8));
}

}  // namespace tamis::cuda
