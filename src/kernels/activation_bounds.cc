#include "src/kernels/activation_bounds.h"

#include <limits>

namespace tamis {

std::optional<ActivationBounds> BoundsOf(const Epilogue& epilogue) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  switch (epilogue.activation) {
    case Activation::kNone:
      return ActivationBounds{-kInfinity, kInfinity};
    case Activation::kRelu:
      return ActivationBounds{0, kInfinity};
    case Activation::kClip:
      return ActivationBounds{epilogue.clip_min, epilogue.clip_max};
    default:
      return std::nullopt;
  }
}

}  // namespace tamis
