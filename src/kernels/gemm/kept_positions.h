// Which two of a group of four inputs a packed 2:4 weight keeps: the non-zeros, then the lowest free positions.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace tamis {

struct KeptPositions {
  uint8_t first, second;
  bool broken;  // more than two non-zeros

  unsigned Code() const { return static_cast<unsigned>(first | second << 2); }
};

// By the set of a group's non-zeros.
constexpr std::array<KeptPositions, 16> MakeKeptPositions() {
  std::array<KeptPositions, 16> table = {};
  for (unsigned set = 0; set < 16; ++set) {
    unsigned kept = set;
    for (unsigned free = ~set & 15; std::popcount(kept) < 2; free &= free - 1) kept |= free & -free;
    const int first = std::countr_zero(kept);
    table[set] = {static_cast<uint8_t>(first), static_cast<uint8_t>(std::countr_zero(kept & (kept - 1))),
                  std::popcount(set) > 2};
  }
  return table;
}
inline constexpr std::array<KeptPositions, 16> kKeptPositions = MakeKeptPositions();

}  // namespace tamis
