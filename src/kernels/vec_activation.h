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

template <class V>
TAMIS_INLINE V Activate(Activation activation, const ActivationParameters& parameters, V x) {
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

template <int kCount>
TAMIS_INLINE void ActivateTogether(Activation activation, const ActivationParameters& parameters, Vec* values) {
  Vecs<kCount> some;
  for (int i = 0; i < kCount; ++i) some.v[i] = values[i];
  some = Activate(activation, parameters, some);
  for (int i = 0; i < kCount; ++i) values[i] = some.v[i];
}
// kCount values in memory, four in lockstep and what is left; one copy for all that call it.
template <int kCount>
[[gnu::noinline]] void ActivateAll(Activation activation, const ActivationParameters& parameters, Vec* values) {
  constexpr int kSome = 4, kRest = kCount % kSome;
  for (int i = 0; i + kSome <= kCount; i += kSome) ActivateTogether<kSome>(activation, parameters, values + i);
  if constexpr (kRest > 0) ActivateTogether<kRest>(activation, parameters, values + kCount - kRest);
}

}  // namespace
}  // namespace tamis
