// One elementwise operator on values in registers, for kernels of one operator and of several.
#pragma once

#include "src/kernels/cuda/device.cuh"
#include "src/kernels/elementwise/cuda/elementwise.h"

namespace tamis::cuda {
namespace {

// A NaN operand gives NaN, as ONNX's Min and Max do.
__device__ __forceinline__ float Least(float a, float b) {
  return a != a || b != b ? a + b : fminf(a, b);
}
__device__ __forceinline__ float Most(float a, float b) {
  return a != a || b != b ? a + b : fmaxf(a, b);
}

// a = f(a, b). As with ActivateAll, the choice stands outside of the loop.
template <int kCount>
__device__ __forceinline__ void Apply(const ElementwiseStep& step, float (&a)[kCount], const float (&b)[kCount]) {
  using Kind = ElementwiseKind;
  const auto each = [&](auto&& f) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) a[i] = f(a[i], b[i]);
  };
  switch (step.kind) {
    case Kind::kRelu:
      ActivateAll(a, {Activation::kRelu});
      break;
    case Kind::kGelu:
      ActivateAll(a, {Activation::kGelu});
      break;
    case Kind::kGeluTanh:
      ActivateAll(a, {Activation::kGeluTanh});
      break;
    case Kind::kTanh:
      ActivateAll(a, {Activation::kTanh});
      break;
    case Kind::kSigmoid:
      each([](float x, float) { return 1.0f / (1.0f + expf(-x)); });
      break;
    case Kind::kClip:
      ActivateAll(a, {Activation::kClip, step.alpha, step.beta});
      break;
    case Kind::kHardSwish:
      ActivateAll(a, {Activation::kHardSwish});
      break;
    case Kind::kErf:
      each([](float x, float) { return erff(x); });
      break;
    case Kind::kExp:
      each([](float x, float) { return expf(x); });
      break;
    case Kind::kLog:
      each([](float x, float) { return logf(x); });
      break;
    case Kind::kSqrt:
      each([](float x, float) { return sqrtf(x); });
      break;
    case Kind::kReciprocal:
      each([](float x, float) { return 1.0f / x; });
      break;
    case Kind::kNeg:
      each([](float x, float) { return -x; });
      break;
    case Kind::kAbs:
      each([](float x, float) { return fabsf(x); });
      break;
    case Kind::kHardSigmoid:
      each([&](float x, float) { return Least(Most(step.alpha * x + step.beta, 0.0f), 1.0f); });
      break;
    case Kind::kLeakyRelu:
      each([&](float x, float) { return x < 0 ? step.alpha * x : x; });
      break;
    case Kind::kSoftplus:
      each([](float x, float) { return fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x))); });
      break;
    case Kind::kSwish:
      each([&](float x, float) { return x / (1.0f + expf(-step.alpha * x)); });
      break;
    case Kind::kMish:
      ActivateAll(a, {Activation::kMish});
      break;
    case Kind::kElu:
      each([&](float x, float) { return x < 0 ? step.alpha * expm1f(x * step.gamma) : step.beta * x; });
      break;
    case Kind::kAffine:
      each([&](float x, float) { return step.alpha * x + step.beta; });
      break;
    case Kind::kSoftsign:
      each([](float x, float) { return x / (1.0f + fabsf(x)); });
      break;
    case Kind::kAdd:
      each([](float x, float y) { return x + y; });
      break;
    case Kind::kSub:
      each([](float x, float y) { return x - y; });
      break;
    case Kind::kMul:
      each([](float x, float y) { return x * y; });
      break;
    case Kind::kDiv:
      each([](float x, float y) { return x / y; });
      break;
    case Kind::kMin:
      each([](float x, float y) { return Least(x, y); });
      break;
    case Kind::kMax:
      each([](float x, float y) { return Most(x, y); });
      break;
    case Kind::kPow:
      each([](float x, float y) { return powf(x, y); });
      break;
  }
}

}  // namespace
}  // namespace tamis::cuda
