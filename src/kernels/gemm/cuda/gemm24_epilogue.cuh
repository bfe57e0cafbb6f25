// Activations of the fused epilogue, and the 16-bit types of the operands.
#pragma once

#include "src/kernels/cuda/device.cuh"
#include "src/kernels/gemm/cuda/gemm24_launch.h"

namespace tamis::cuda {

template <bool kBf16>
__device__ __forceinline__ uint32_t PackPair(float low, float high) {
  if constexpr (kBf16) {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    return reinterpret_cast<const uint32_t&>(pair);
  } else {
    const __half2 pair = __floats2half2_rn(low, high);
    return reinterpret_cast<const uint32_t&>(pair);
  }
}

template <bool kBf16>
__device__ __forceinline__ float2 UnpackPair(uint32_t bits) {
  if constexpr (kBf16) {
    return make_float2(__uint_as_float(bits << 16), __uint_as_float(bits & 0xffff0000u));
  } else {
    return __half22float2(reinterpret_cast<const __half2&>(bits));
  }
}

__device__ __forceinline__ float TanhApproximate(float x) {
  float y;
  asm("tanh.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// 1 / (1 + e^-x), relative error 2^-21 or so.
__device__ __forceinline__ float Sigmoid(float x) {
  return __fdividef(1.0f, 1.0f + __expf(-x));
}

// x * Phi(x) by Phi(-a) = 1 / (2 p(a)^16) for a >= 0, where p is Abramowitz and Stegun's polynomial 7.1.28 of erf with
// its coefficients divided by sqrt(2)^i. Absolute error below 5e-7, so that an f16 result is as good as rounded.
__device__ __forceinline__ float Gelu(float x) {
  const float a = fabsf(x);
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
  return fmaxf(x, 0.0f) - a * __fdividef(0.5f, p);
}

// The activation of one value, chosen at compile time, and cheaper than Activate(): it runs beside the products, on
// sums that are rounded to 16 bits afterwards. kRelu and kClip are one case with limits.
template <Activation kKind>
__device__ __forceinline__ float ActivateAs(float x, const ActivationArgs& params) {
  if constexpr (kKind == Activation::kClip) {
    // Not fminf(fmaxf()): that makes a number of a NaN.
    x = x < params.low ? params.low : x;
    return x > params.high ? params.high : x;
  }
  if constexpr (kKind == Activation::kGelu) return Gelu(x);
  if constexpr (kKind == Activation::kGeluTanh) {
    return x * Sigmoid(x * fmaf(x * x, 0.0713548163f, 1.59576912f));
  }
  if constexpr (kKind == Activation::kSilu) return x * Sigmoid(x);
  if constexpr (kKind == Activation::kHardSwish) {
    return x * fminf(fmaxf(fmaf(x, 1.0f / 6, 0.5f), 0.0f), 1.0f);
  }
  if constexpr (kKind == Activation::kSigmoid) return Sigmoid(x);
  if constexpr (kKind == Activation::kTanh) return fmaf(2.0f, Sigmoid(2 * x), -1.0f);
  return x;
}

// Calls f with the activation as a compile-time constant: f(std::integral_constant<Activation, k>).
template <Activation kKind>
struct KindConstant {
  static constexpr Activation kValue = kKind;
};
template <class F>
__device__ __forceinline__ void DispatchActivation(Activation kind, F&& f) {
  switch (kind) {
    case Activation::kNone:
      return f(KindConstant<Activation::kNone>());
    case Activation::kRelu:
    case Activation::kClip:
      return f(KindConstant<Activation::kClip>());
    case Activation::kGelu:
      return f(KindConstant<Activation::kGelu>());
    case Activation::kGeluTanh:
      return f(KindConstant<Activation::kGeluTanh>());
    case Activation::kSilu:
      return f(KindConstant<Activation::kSilu>());
    case Activation::kHardSwish:
      return f(KindConstant<Activation::kHardSwish>());
    case Activation::kSigmoid:
      return f(KindConstant<Activation::kSigmoid>());
    case Activation::kTanh:
      return f(KindConstant<Activation::kTanh>());
  }
}

// With limits for kRelu too, which ActivateAs treats as a kClip.
inline ActivationArgs WithLimits(ActivationArgs activation) {
  if (activation.kind == Activation::kRelu) return {Activation::kRelu, 0.0f, __builtin_huge_valf()};
  return activation;
}

}  // namespace tamis::cuda
