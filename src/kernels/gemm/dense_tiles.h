// A weight of 16-bit elements in the order in which warpgroup products (wgmma) read it: tiles of 64 outputs x 64 inputs
// of one run, zeros beyond the edges, one row of tiles after the other along the depth, as 2:4 weights
// (sparse_tile_format.h). A tile is [64 outputs][64 inputs] in 16-byte chunks, chunk c of row r stored at c ^ (r % 8):
// the 128-byte swizzle, so that a block fetches tiles as contiguous bytes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tamis {

inline constexpr int64_t kDenseTile = 64;
inline constexpr int64_t kDenseTileBytes = 8192;

// `runs` is the product of the axes between the first and the last.
constexpr size_t DenseTilesBytes(int64_t outputs, int64_t runs, int64_t run) {
  return static_cast<size_t>((outputs + 63) / 64 * runs * ((run + 63) / 64) * kDenseTileBytes);
}

// Writes DenseTilesBytes() to `packed`. `weight` is [outputs][runs][run].
void PackDenseTiles(const uint16_t* weight, int64_t outputs, int64_t runs, int64_t run, std::byte* packed);

}  // namespace tamis
