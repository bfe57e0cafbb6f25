#include "src/kernels/gemm/dense_tiles.h"

#include <algorithm>
#include <cstring>

namespace tamis {

void PackDenseTiles(const uint16_t* weight, int64_t outputs, int64_t runs, int64_t run, std::byte* packed) {
  constexpr int64_t kChunk = 8;  // elements of 16 bytes
  const int64_t run_tiles = (run + kDenseTile - 1) / kDenseTile;
  std::byte* tile = packed;
  for (int64_t first = 0; first < outputs; first += kDenseTile) {
    for (int64_t t = 0; t < runs * run_tiles; ++t, tile += kDenseTileBytes) {
      const int64_t begin = t % run_tiles * kDenseTile;
      const int64_t width = std::min(kDenseTile, run - begin);
      const int64_t height = std::min(kDenseTile, outputs - first);
      if (width < kDenseTile || height < kDenseTile) std::memset(tile, 0, kDenseTileBytes);
      for (int64_t r = 0; r < height; ++r) {
        const uint16_t* row = weight + ((first + r) * runs + t / run_tiles) * run + begin;
        for (int64_t c = 0; c * kChunk < width; ++c) {
          const auto bytes = static_cast<size_t>(std::min(kChunk, width - c * kChunk)) * 2;
          std::byte* to = tile + r * 128 + (c ^ (r % 8)) * 16;
          if (bytes == 16) {
            std::memcpy(to, row + c * kChunk, 16);
          } else {
            std::memcpy(to, row + c * kChunk, bytes);
          }
        }
      }
    }
  }
}

}  // namespace tamis
