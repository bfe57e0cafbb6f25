#include "src/kernels/gemm/code_tiles.h"

#include <gtest/gtest.h>

#include <vector>

#include "src/kernels/gemm/dense_tiles.h"

namespace tamis {
namespace {

TEST(CodeTiles, EveryCodeIsWhereTheFormatSays) {
  for (const auto& [outputs, runs, run] : {std::tuple(64, 1, 128), {72, 3, 80}, {8, 2, 16}, {130, 1, 272}}) {
    std::vector<int8_t> weight(static_cast<size_t>(outputs * runs * run));
    for (size_t i = 0; i < weight.size(); ++i) weight[i] = static_cast<int8_t>(i * 31 % 255 - 127);
    std::vector<std::byte> packed(CodeTilesBytes(outputs, runs, run), std::byte{0xff});
    PackCodeTiles(weight.data(), outputs, runs, run, packed.data());
    const auto* codes = reinterpret_cast<const int8_t*>(packed.data());
    const int run_tiles = (run + 127) / 128;
    const auto tiles = static_cast<int>(packed.size()) / static_cast<int>(kDenseTileBytes);
    for (int tile = 0; tile < tiles; ++tile) {
      const int along = tile % (runs * run_tiles), panel = tile / (runs * run_tiles);
      for (int r = 0; r < 64; ++r) {
        const int output = panel * 64 + r / 16 * 16 + r % 8 * 2 + r / 8 % 2;
        for (int i = 0; i < 128; ++i) {
          const int input = along % run_tiles * 128 + i;
          const bool inside = output < outputs && input < run;
          const size_t from = static_cast<size_t>((output * runs + along / run_tiles) * run + input);
          const size_t at = static_cast<size_t>(tile * 8192 + r * 128 + ((i / 16) ^ (r % 8)) * 16 + i % 16);
          ASSERT_EQ(codes[at], inside ? weight[from] : 0) << tile << " " << r << " " << i;
        }
      }
    }
  }
}

}  // namespace
}  // namespace tamis
