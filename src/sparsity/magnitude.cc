#include "src/sparsity/magnitude.h"

#include <algorithm>
#include <cmath>

namespace tamis {

Mask MagnitudeMask(std::span<const float> weight, const WeightLayout& layout) {
  Mask mask(weight.size(), 0);
  for (int64_t row = 0; row < layout.rows; ++row) {
    for (int64_t g = 0; g < layout.GroupsPerRow(); ++g) {
      const auto begin = static_cast<size_t>(row * layout.columns + layout.GroupBegin(g));
      const auto size = static_cast<size_t>(layout.GroupSize(g));
      for (size_t i = 0; i < size; ++i) {
        int larger = 0;
        for (size_t j = 0; j < size; ++j) {
          const float mine = std::fabs(weight[begin + i]), other = std::fabs(weight[begin + j]);
          larger += other > mine || (other == mine && j < i);
        }
        mask[begin + i] = larger < kGroupKept;
      }
    }
  }
  return mask;
}

Mask MagnitudeMask(std::span<const float> weight, const WeightLayout& layout, std::span<const int64_t> partner) {
  std::vector<float> both(weight.begin(), weight.end());
  for (int64_t row = 0; row < layout.rows; ++row) {
    const int64_t other = partner[static_cast<size_t>(row)];
    if (other == row) continue;
    for (int64_t i = 0; i < layout.columns; ++i) {
      both[static_cast<size_t>(row * layout.columns + i)] =
          std::hypot(weight[static_cast<size_t>(row * layout.columns + i)],
                     weight[static_cast<size_t>(other * layout.columns + i)]);
    }
  }
  return MagnitudeMask(both, layout);
}

double SaliencyKept(std::span<const float> weight, std::span<const uint8_t> mask) {
  double kept = 0, total = 0;
  for (size_t i = 0; i < weight.size(); ++i) {
    const double square = static_cast<double>(weight[i]) * weight[i];
    total += square;
    if (mask[i]) kept += square;
  }
  return total == 0 ? 1 : kept / total;
}

void ApplyMask(std::span<const uint8_t> mask, std::span<float> weight) {
  for (size_t i = 0; i < weight.size(); ++i) {
    if (!mask[i]) weight[i] = 0;
  }
}

}  // namespace tamis
