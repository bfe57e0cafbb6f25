// The activations of the products' epilogue (op_tamis.h). Free of other headers: device code reads it too.
#pragma once

#include <cstdint>

namespace tamis {

enum class Activation : uint8_t {
  kNone,
  kRelu,       // "Relu"
  kClip,       // "Clip": min(max(x, clip_min), clip_max)
  kGelu,       // "Gelu": erf form
  kGeluTanh,   // "GeluTanh"
  kSilu,       // "Silu": x * sigmoid(x)
  kHardSwish,  // "HardSwish": x * max(0, min(1, x / 6 + 1 / 2))
  kSigmoid,    // "Sigmoid"
  kTanh,       // "Tanh"
  // Of alpha and beta:
  kLeakyRelu,    // "LeakyRelu": alpha * x below 0
  kElu,          // "Elu": alpha * (exp(x) - 1) below 0
  kHardSigmoid,  // "HardSigmoid": max(0, min(1, alpha * x + beta))
  kSwish,        // "Swish": x * sigmoid(alpha * x)
  // Of neither:
  kMish,  // "Mish": x * tanh(log(1 + exp(x)))
};

}  // namespace tamis
