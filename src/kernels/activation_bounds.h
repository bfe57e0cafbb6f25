// Activations that only bound a sum: the stores of products keep their results in registers for these.
#pragma once

#include <optional>

#include "src/ops/op_tamis.h"

namespace tamis {

struct ActivationBounds {
  float low, high;  // infinite where there is no such bound
};
// None of an activation that is anything else.
std::optional<ActivationBounds> BoundsOf(const Epilogue& epilogue);

}  // namespace tamis
