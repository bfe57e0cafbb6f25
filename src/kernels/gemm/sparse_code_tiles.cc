#include "src/kernels/gemm/sparse_code_tiles.h"

#include <algorithm>
#include <cstring>

#include "src/kernels/gemm/code_tiles.h"
#include "src/kernels/gemm/kept_positions.h"

namespace tamis {
namespace {

// Packs row `r` of a tile. The first input of a group with more than two non-zeros, -1 if there is none.
int64_t PackRow(const int8_t (&inputs)[kSparseCodeInputs], int64_t r, std::byte* tile) {
  for (int64_t chunk = 0; chunk < 4; ++chunk) {  // of 32 inputs
    int8_t kept[16];
    uint32_t word = 0;
    for (int64_t g = 0; g < 8; ++g) {
      const int8_t* four = inputs + chunk * 32 + g * 4;
      unsigned set = 0;
      for (unsigned i = 0; i < 4; ++i) set |= static_cast<unsigned>(four[i] != 0) << i;
      const KeptPositions positions = kKeptPositions[set];
      if (positions.broken) return chunk * 32 + g * 4;
      word |= positions.Code() << (g * 4);
      kept[2 * g] = four[positions.first];
      kept[2 * g + 1] = four[positions.second];
    }
    std::memcpy(tile + r * 64 + (chunk ^ (r / 2 % 4)) * 16, kept, sizeof(kept));
    const int64_t thread = r / 16 * 32 + r % 8 * 4 + chunk % 2 * 2 + r % 16 / 8;
    std::memcpy(tile + kSparseCodeValues + thread * 8 + chunk / 2 * 4, &word, sizeof(word));
  }
  return -1;
}

}  // namespace

Status PackSparseCodeTiles(const int8_t* weight, int64_t outputs, int64_t runs, int64_t run, std::byte* packed,
                           CodeRows rows) {
  const int64_t run_tiles = (run + kSparseCodeInputs - 1) / kSparseCodeInputs, tiles = runs * run_tiles;
  for (int64_t output = 0; output < (outputs + 63) / 64 * 64; ++output) {
    std::byte* panel = packed + output / 64 * tiles * kSparseCodeTileBytes;
    for (int64_t tile = 0; tile < tiles; ++tile) {
      const int64_t begin = tile % run_tiles * kSparseCodeInputs;
      int8_t inputs[kSparseCodeInputs] = {};
      if (output < outputs) {
        std::copy_n(weight + (output * runs + tile / run_tiles) * run + begin, std::min(run - begin, kSparseCodeInputs),
                    inputs);
      }
      const int64_t row = rows == CodeRows::kByTurns ? CodeTileRow(output % 64) : output % 64;
      const int64_t broken = PackRow(inputs, row, panel + tile * kSparseCodeTileBytes);
      if (broken >= 0) {
        return UserError("output {} breaks the 2:4 pattern in the group of input {} of run {}", output, begin + broken,
                         tile / run_tiles);
      }
    }
  }
  return {};
}

}  // namespace tamis
