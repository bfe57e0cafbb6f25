// From an activation known at run time to one known when the code is compiled.
#pragma once

#include <type_traits>

#include "src/ops/op_tamis.h"

namespace tamis {
namespace {

template <Activation kActivation>
using ActivationConstant = std::integral_constant<Activation, kActivation>;

// call(ActivationConstant<activation>())
template <class Call>
inline void WithActivation(Activation activation, const Call& call) {
  switch (activation) {
    case Activation::kNone:
      return call(ActivationConstant<Activation::kNone>());
    case Activation::kRelu:
      return call(ActivationConstant<Activation::kRelu>());
    case Activation::kClip:
      return call(ActivationConstant<Activation::kClip>());
    case Activation::kGelu:
      return call(ActivationConstant<Activation::kGelu>());
    case Activation::kGeluTanh:
      return call(ActivationConstant<Activation::kGeluTanh>());
    case Activation::kSilu:
      return call(ActivationConstant<Activation::kSilu>());
    case Activation::kHardSwish:
      return call(ActivationConstant<Activation::kHardSwish>());
    case Activation::kSigmoid:
      return call(ActivationConstant<Activation::kSigmoid>());
    case Activation::kTanh:
      return call(ActivationConstant<Activation::kTanh>());
    case Activation::kLeakyRelu:
      return call(ActivationConstant<Activation::kLeakyRelu>());
    case Activation::kElu:
      return call(ActivationConstant<Activation::kElu>());
    case Activation::kHardSigmoid:
      return call(ActivationConstant<Activation::kHardSigmoid>());
    case Activation::kSwish:
      return call(ActivationConstant<Activation::kSwish>());
    case Activation::kMish:
      return call(ActivationConstant<Activation::kMish>());
  }
}

}  // namespace
}  // namespace tamis
