// A weight of s8 codes in the order in which warpgroup products of codes read it: dense tiles (dense_tiles.h) of 64
// outputs x 128 inputs, with the outputs of every 16 rows by turns in the lower and the upper eight: output 2 g is row
// g and output 2 g + 1 row g + 8. The two rows of sums that a thread holds are neighbouring outputs then.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tamis {

// The row of output `output` of a tile.
constexpr int64_t CodeTileRow(int64_t output) {
  return output / 16 * 16 + output % 2 * 8 + output % 16 / 2;
}

// `run` is even.
size_t CodeTilesBytes(int64_t outputs, int64_t runs, int64_t run);

// Writes CodeTilesBytes() to `packed`. `weight` is [outputs][runs][run].
void PackCodeTiles(const int8_t* weight, int64_t outputs, int64_t runs, int64_t run, std::byte* packed);

}  // namespace tamis
