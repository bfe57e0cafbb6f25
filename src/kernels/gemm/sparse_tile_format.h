// A 2:4 weight of 16-bit elements in the orders in which sparse tensor cores read it.
//
// The weight [outputs, ..., run] is cut into tiles of 64 outputs x 64 inputs of one run (the last axis), zeros beyond
// its edges; all tiles of one row of tiles follow one another along the depth, run after run. Of every group of four
// inputs two elements are kept (the non-zeros, then the lowest free positions with value 0; a negative zero is a zero),
// in the order of their positions, and a code of four bits: first position | second position << 2. A tile takes 4,096
// bytes of values and 512 of codes: 56 % of dense.
//
// A word of codes covers 16 inputs of an output in its low half (first group in the lowest bits) and the same inputs of
// the output eight below in its high half. The lane l of the warp that computes outputs 16 w .. 16 w + 15 of a tile has
// the one of outputs 16 w + l / 4 (and + 8), inputs 16 (l % 4): threads 0 and 1 of a quad select the codes of the first
// 32 inputs, 2 and 3 those of the next.
//
//   kWarpgroup  for wgmma.mma_async.sp.m64nNk32, values in shared memory:
//               values [64 outputs][32], in 16-byte chunks, chunk c of row r stored at c ^ (r / 2 % 4) (the 64-byte
//               swizzle); then the words of codes [4 warps][32 lanes]
//   kWarp       for mma.sp.m16n8k32, values loaded straight into registers: for each of the four warps
//               values [2 steps of 32 inputs][32 lanes][8], as the lane holds them; then its 32 words of codes
#pragma once

#include <cstddef>
#include <cstdint>

namespace tamis {

enum class SparseTileOrder : uint8_t { kWarpgroup, kWarp };

inline constexpr int64_t kSparseTile = 64;          // outputs and inputs of a tile
inline constexpr int64_t kSparseTileValues = 4096;  // bytes of values in a tile
inline constexpr int64_t kSparseTileBytes = 4608;   // with the codes
inline constexpr int64_t kSparseWarpBytes = 1152;   // one warp's part of a tile in order kWarp
inline constexpr int64_t kSparseWarpValues = 1024;

// Tiles along the outputs or along the depth.
constexpr int64_t SparseTileCount(int64_t extent) {
  return (extent + kSparseTile - 1) / kSparseTile;
}
// `runs` is the product of the axes between the first and the last.
constexpr size_t SparseTilesBytes(int64_t outputs, int64_t runs, int64_t run) {
  return static_cast<size_t>(SparseTileCount(outputs) * runs * SparseTileCount(run) * kSparseTileBytes);
}

}  // namespace tamis
