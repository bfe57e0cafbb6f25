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

// Relative error 2^-11, which is what rounding to f16 costs once more. A single instruction of the unit for special
// functions, whose rate (an eighth of the multiply-adds') bounds the epilogue: an exponential and a division take two.
__device__ __forceinline__ float TanhApproximate(float x) {
  float y;
  asm("tanh.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// 1 / (1 + e^-x), relative error 2^-21 or so.
__device__ __forceinline__ float Sigmoid(float x) {
  return __fdividef(1.0f, 1.0f + __expf(-x));
}

// x * Phi(x) = x / 2 * (1 + tanh(x * p(x^2))) with p fitted so that an exact tanh is 2.5e-5 off at most. Beyond 6 the
// tanh is 1 and p is not made for it.
__device__ __forceinline__ float Gelu(float x) {
  const float square = fminf(x * x, 36.0f);
  const float p = fmaf(fmaf(square, -3.51517152e-4f, 3.70056482e-2f), square, 0.797507882f);
  const float half = 0.5f * x;
  return fmaf(half, TanhApproximate(x * p), half);
}

// e^x - 1 for x <= 0, relative error 2^-19: near 0, where the difference cancels, the first terms of its series.
__device__ __forceinline__ float ExpMinusOne(float x) {
  const float series = x * fmaf(x, fmaf(x, fmaf(x, fmaf(x, 1.0f / 120, 1.0f / 24), 1.0f / 6), 0.5f), 1.0f);
  return x > -0.25f ? series : __expf(x) - 1.0f;
}

// The activation of one value, chosen at compile time, and cheaper than Activate(): it runs beside the products, on
// sums that are rounded to 16 bits afterwards. It stands in every kernel as often as a thread has sums, so that none
// may be long: Activate() here took four fifths of ptxas' time. kRelu and kClip are one case with limits.
template <Activation kKind>
__device__ __forceinline__ float ActivateAs(float x, const ActivationArgs& params) {
  if constexpr (kKind == Activation::kClip) {
    // Not fminf(fmaxf()): that makes a number of a NaN.
    x = x < params.low ? params.low : x;
    return x > params.high ? params.high : x;
  }
  if constexpr (kKind == Activation::kGelu) return Gelu(x);
  if constexpr (kKind == Activation::kGeluTanh) {
    const float half = 0.5f * x;
    return fmaf(half, TanhApproximate(x * fmaf(x * x, 0.0356774081f, 0.797884561f)), half);
  }
  if constexpr (kKind == Activation::kSilu) return fmaf(0.5f * x, TanhApproximate(0.5f * x), 0.5f * x);
  if constexpr (kKind == Activation::kHardSwish) {
    return x * fminf(fmaxf(fmaf(x, 1.0f / 6, 0.5f), 0.0f), 1.0f);
  }
  if constexpr (kKind == Activation::kSigmoid) return Sigmoid(x);
  if constexpr (kKind == Activation::kTanh) return fmaf(2.0f, Sigmoid(2 * x), -1.0f);
  if constexpr (kKind == Activation::kLeakyRelu) return x < 0.0f ? params.low * x : x;
  if constexpr (kKind == Activation::kElu) return x < 0.0f ? params.low * ExpMinusOne(x) : x;
  if constexpr (kKind == Activation::kHardSigmoid) {
    const float y = fmaf(params.low, x, params.high);
    return y < 0.0f ? 0.0f : y > 1.0f ? 1.0f : y;  // NaN stays NaN
  }
  if constexpr (kKind == Activation::kSwish) return fmaf(0.5f * x, TanhApproximate(0.5f * params.low * x), 0.5f * x);
  if constexpr (kKind == Activation::kMish) {
    // tanh(log(1 + e)) = ((1 + e)^2 - 1) / ((1 + e)^2 + 1), which is 1 in f32 long before e is e^20.
    const float e = __expf(fminf(x, 20.0f)), n = e * (e + 2.0f);
    return x * __fdividef(n, n + 2.0f);
  }
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
    case Activation::kLeakyRelu:
      return f(KindConstant<Activation::kLeakyRelu>());
    case Activation::kElu:
      return f(KindConstant<Activation::kElu>());
    case Activation::kHardSigmoid:
      return f(KindConstant<Activation::kHardSigmoid>());
    case Activation::kSwish:
      return f(KindConstant<Activation::kSwish>());
    case Activation::kMish:
      return f(KindConstant<Activation::kMish>());
  }
}

// Of a few values, within a loop over them: one copy of the loop, which costs a branch in each turn.
template <int kCount>
__device__ __forceinline__ void ActivateSome(float (&values)[kCount], const ActivationArgs& params) {
  DispatchActivation(params.kind, [&](auto kind) {
#pragma unroll
    for (float& value : values) value = ActivateAs<decltype(kind)::kValue>(value, params);
  });
}

// With limits for kRelu too, which ActivateAs treats as a kClip.
inline ActivationArgs WithLimits(ActivationArgs activation) {
  if (activation.kind == Activation::kRelu) return {Activation::kRelu, 0.0f, __builtin_huge_valf()};
  return activation;
}

}  // namespace tamis::cuda
