// A 2:4 weight of s8 codes in the order in which sparse warpgroup products of codes read it
// (wgmma.mma_async.sp.m64nNk64): tiles of 64 outputs x 128 inputs of one run, zeros beyond the edges, one row of tiles
// after the other along the depth. Groups, kept values and codes of positions are those of sparse_tile_format.h, and
// outputs change places as in code_tiles.h.
//
// A tile takes 5,120 bytes, 62 % of dense: the values [64 rows][64], in 16-byte chunks, chunk c of row r stored at
// c ^ (r / 2 % 4) (the 64-byte swizzle); then words of positions [128 threads][2 products]. Each thread supplies its
// own word, for 32 inputs of one row, first group in the lowest bits: thread 32 w + l in product p has row
// 16 w + l / 4 + 8 (l % 2), inputs 64 p + 32 (l / 2 % 2) and on.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tamis {

inline constexpr int64_t kSparseCodeInputs = 128;   // of a tile
inline constexpr int64_t kSparseCodeValues = 4096;  // bytes of values in a tile
inline constexpr int64_t kSparseCodeTileBytes = 5120;

constexpr size_t SparseCodeTilesBytes(int64_t outputs, int64_t runs, int64_t run) {
  return static_cast<size_t>((outputs + 63) / 64 * runs * ((run + kSparseCodeInputs - 1) / kSparseCodeInputs) *
                             kSparseCodeTileBytes);
}

}  // namespace tamis
