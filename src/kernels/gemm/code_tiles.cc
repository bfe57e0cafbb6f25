#include "src/kernels/gemm/code_tiles.h"

#include <algorithm>
#include <vector>

#include "src/kernels/gemm/dense_tiles.h"

namespace tamis {
namespace {

constexpr int64_t kRows = 16;  // whose outputs change places

}  // namespace

size_t CodeTilesBytes(int64_t outputs, int64_t runs, int64_t run) {
  return DenseTilesBytes(outputs, runs, run / 2);
}

void PackCodeTiles(const int8_t* weight, int64_t outputs, int64_t runs, int64_t run, std::byte* packed) {
  const int64_t rows = (outputs + kRows - 1) / kRows * kRows, row = runs * run;
  std::vector<uint16_t> pairs(static_cast<size_t>(rows * row / 2));
  auto* codes = reinterpret_cast<int8_t*>(pairs.data());
  for (int64_t o = 0; o < outputs; ++o) {
    std::copy_n(weight + o * row, row, codes + CodeTileRow(o) * row);
  }
  PackDenseTiles(pairs.data(), rows, runs, run / 2, packed);
}

}  // namespace tamis
