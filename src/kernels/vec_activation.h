// The activation of an epilogue over Vec, chosen at run time.
#pragma once

#include "src/kernels/vec_math.h"
#include "src/ops/op_tamis.h"

namespace tamis {
namespace {

TAMIS_INLINE Vec Activate(Activation activation, Vec low, Vec high, Vec x) {
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return Max(Set(0), x);
    case Activation::kClip:
      return Clamp(x, low, high);
    case Activation::kGelu:
      return Gelu(x);
    case Activation::kGeluTanh:
      return GeluTanh(x);
    case Activation::kSilu:
      return Silu(x);
    case Activation::kHardSwish:
      return HardSwish(x);
    case Activation::kSigmoid:
      return Sigmoid(x);
    case Activation::kTanh:
      return Tanh(x);
  }
  return x;
}

}  // namespace
}  // namespace tamis
