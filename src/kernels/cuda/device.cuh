// What device code shares: half-precision vectors, activations, and the two ends of overlapping launches.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

#include "src/kernels/cuda/epilogue_args.h"
#include "tamis/dtype.h"

namespace tamis::cuda {

// Lets the next kernel of the stream start its prologue. Early is right: it then waits for this whole grid anyway.
__device__ __forceinline__ void LetNextStart() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

// Until every earlier kernel of the stream has finished and its writes are visible. No-op in an ordinary launch.
__device__ __forceinline__ void WaitForPrevious() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

__device__ __forceinline__ float LoadFloat(const void* from, DType dtype, int64_t i) {
  switch (dtype) {
    case DType::kFloat16:
      return __half2float(static_cast<const __half*>(from)[i]);
    case DType::kBFloat16:
      return __bfloat162float(static_cast<const __nv_bfloat16*>(from)[i]);
    default:
      return static_cast<const float*>(from)[i];
  }
}

__device__ __forceinline__ void StoreFloat(void* to, DType dtype, int64_t i, float value) {
  switch (dtype) {
    case DType::kFloat16:
      static_cast<__half*>(to)[i] = __float2half_rn(value);
      break;
    case DType::kBFloat16:
      static_cast<__nv_bfloat16*>(to)[i] = __float2bfloat16_rn(value);
      break;
    default:
      static_cast<float*>(to)[i] = value;
  }
}

// Eight consecutive elements, 16-byte aligned.
__device__ __forceinline__ void Load8(const __half* from, float (&values)[8]) {
  const uint4 bits = *reinterpret_cast<const uint4*>(from);
  const auto* pairs = reinterpret_cast<const __half2*>(&bits);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float2 pair = __half22float2(pairs[i]);
    values[2 * i] = pair.x;
    values[2 * i + 1] = pair.y;
  }
}

__device__ __forceinline__ void Load8(const __nv_bfloat16* from, float (&values)[8]) {
  const uint4 bits = *reinterpret_cast<const uint4*>(from);
  const uint32_t words[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    values[2 * i] = __uint_as_float(words[i] << 16);
    values[2 * i + 1] = __uint_as_float(words[i] & 0xffff0000u);
  }
}

__device__ __forceinline__ void Load8(const float* from, float (&values)[8]) {
  const float4 a = reinterpret_cast<const float4*>(from)[0];
  const float4 b = reinterpret_cast<const float4*>(from)[1];
  values[0] = a.x, values[1] = a.y, values[2] = a.z, values[3] = a.w;
  values[4] = b.x, values[5] = b.y, values[6] = b.z, values[7] = b.w;
}

__device__ __forceinline__ void Store8(__half* to, const float (&values)[8]) {
  uint4 bits;
  auto* pairs = reinterpret_cast<__half2*>(&bits);
#pragma unroll
  for (int i = 0; i < 4; ++i) pairs[i] = __floats2half2_rn(values[2 * i], values[2 * i + 1]);
  *reinterpret_cast<uint4*>(to) = bits;
}

__device__ __forceinline__ void Store8(__nv_bfloat16* to, const float (&values)[8]) {
  uint4 bits;
  auto* pairs = reinterpret_cast<__nv_bfloat162*>(&bits);
#pragma unroll
  for (int i = 0; i < 4; ++i) pairs[i] = __floats2bfloat162_rn(values[2 * i], values[2 * i + 1]);
  *reinterpret_cast<uint4*>(to) = bits;
}

__device__ __forceinline__ void Store8(float* to, const float (&values)[8]) {
  reinterpret_cast<float4*>(to)[0] = make_float4(values[0], values[1], values[2], values[3]);
  reinterpret_cast<float4*>(to)[1] = make_float4(values[4], values[5], values[6], values[7]);
}

// x * Phi(x) with Phi(-a) = 1 / (2 p(a)^16) for a >= 0, p from Abramowitz and Stegun's 7.1.28 with the coefficients of
// erf rescaled by sqrt(2)^i. Absolute error below 5e-7: a third of the instructions of erff.
__device__ __forceinline__ float PolynomialGelu(float x) {
  const float a = fminf(fabsf(x), 64.0f);  // where p^16 is beyond f32 and the tail 0, but infinity is not yet
  float p = fmaf(a, 5.382975e-6f, 4.88906356e-5f);
  p = fmaf(p, a, 3.8003575e-5f);
  p = fmaf(p, a, 3.27762632e-3f);
  p = fmaf(p, a, 2.11410061e-2f);
  p = fmaf(p, a, 4.9867347e-2f);
  p = fmaf(p, a, 1.0f);
  p *= p;
  p *= p;
  p *= p;
  p *= p;
  const float tail = a * __fdividef(0.5f, p);
  return x > 0 ? x - tail : x < 0 ? -tail : x;  // NaN stays NaN
}

// The choice stands outside of the loop: inlined once an element it would fill the instruction cache.
template <int kCount>
__device__ __forceinline__ void ActivateAll(float (&x)[kCount], ActivationArgs activation) {
  const auto each = [&](auto&& f) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) x[i] = f(x[i]);
  };
  switch (activation.kind) {
    case Activation::kNone:
      break;
    case Activation::kRelu:
      each([](float v) { return v < 0 ? 0.0f : v; });  // NaN stays NaN
      break;
    case Activation::kClip:
      each([&](float v) { return v < activation.low ? activation.low : v > activation.high ? activation.high : v; });
      break;
    case Activation::kGelu:
      each([](float v) { return PolynomialGelu(v); });
      break;
    case Activation::kGeluTanh:
      each([](float v) { return 0.5f * v * (1.0f + tanhf(0.79788456f * (v + 0.044715f * v * v * v))); });
      break;
    case Activation::kSilu:
      each([](float v) { return v / (1.0f + __expf(-v)); });
      break;
    case Activation::kHardSwish:
      each([](float v) { return v * fminf(fmaxf(v / 6.0f + 0.5f, 0.0f), 1.0f); });
      break;
    case Activation::kSigmoid:
      each([](float v) { return 1.0f / (1.0f + __expf(-v)); });
      break;
    case Activation::kTanh:
      each([](float v) { return tanhf(v); });
      break;
    case Activation::kLeakyRelu:
      each([&](float v) { return v < 0 ? activation.low * v : v; });
      break;
    case Activation::kElu:
      each([&](float v) { return v < 0 ? activation.low * expm1f(v) : v; });
      break;
    case Activation::kHardSigmoid:
      each([&](float v) { return fminf(fmaxf(activation.low * v + activation.high, 0.0f), 1.0f); });
      break;
    case Activation::kSwish:
      each([&](float v) { return v / (1.0f + __expf(-activation.low * v)); });
      break;
    case Activation::kMish:
      each([](float v) {
        const float e = __expf(v > 20.0f ? 20.0f : v);
        const float n = e * (e + 2.0f);
        return v * (n / (n + 2.0f));
      });
      break;
  }
}

__device__ __forceinline__ float Activate(float x, ActivationArgs activation) {
  float one[1] = {x};
  ActivateAll(one, activation);
  return one[0];
}

}  // namespace tamis::cuda
