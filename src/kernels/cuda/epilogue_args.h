// The activation of a product's epilogue, as launchers take it.
#pragma once

#include "src/ops/activation.h"

namespace tamis::cuda {

struct ActivationArgs {
  Activation kind = Activation::kNone;
  float low = 0, high = 0;  // of Clip; alpha and beta of the others that have them
};

}  // namespace tamis::cuda
