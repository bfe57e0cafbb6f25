// Which elements of each group of four a 2:4 weight keeps.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "tamis/status.h"

namespace tamis {

// The sign bit alone is a zero too.
inline bool IsZeroElement(float v) {
  return v == 0;
}
inline bool IsZeroElement(uint16_t bf16) {
  return (bf16 & 0x7fff) == 0;
}

// [row][group], bit i: element i of the group is not zero. `dense` is [rows][depth], f32 or bf16; the last group may be
// short. A user error names the first group that has more than two.
template <class T>
Result<std::vector<uint8_t>> TwoFourMasks(const T* dense, int64_t rows, int64_t depth) {
  const int64_t groups = (depth + 3) / 4;
  std::vector<uint8_t> masks(static_cast<size_t>(rows * groups));
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t k = 0; k < depth; ++k) {
      if (IsZeroElement(dense[row * depth + k])) continue;
      uint8_t& mask = masks[static_cast<size_t>(row * groups + k / 4)];
      mask = static_cast<uint8_t>(mask | 1U << (k % 4));
      if (std::popcount(mask) > 2) {
        return UserError("row {} breaks the 2:4 pattern in the group at column {}", row, k / 4 * 4);
      }
    }
  }
  return masks;
}

}  // namespace tamis
