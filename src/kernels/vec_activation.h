// The activation of an epilogue over Vec, chosen at run time.
#pragma once

#include "src/kernels/vec_math.h"
#include "src/ops/op_tamis.h"

namespace tamis {
namespace {

// The limits of Clip; alpha and beta of those that have them.
struct ActivationParameters {
  Vec first, second;
};
TAMIS_INLINE ActivationParameters ParametersOf(const Epilogue& epilogue) {
  const bool clip = epilogue.activation == Activation::kClip;
  return {Set(clip ? epilogue.clip_min : epilogue.alpha), Set(clip ? epilogue.clip_max : epilogue.beta)};
}

TAMIS_INLINE Vec Activate(Activation activation, const ActivationParameters& parameters, Vec x) {
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return Max(Set(0), x);
    case Activation::kClip:
      return Clamp(x, parameters.first, parameters.second);
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
    case Activation::kLeakyRelu:
      return IfLess(x, Set(0), x * parameters.first, x);
    case Activation::kElu:
      return IfLess(x, Set(0), parameters.first * Expm1(x), x);
    case Activation::kHardSigmoid:
      return HardSigmoid(x, parameters.first, parameters.second);
    case Activation::kSwish:
      return x * Sigmoid(parameters.first * x);
    case Activation::kMish:
      return Mish(x);
  }
  return x;
}

}  // namespace
}  // namespace tamis
