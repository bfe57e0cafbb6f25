#include "src/kernels/gemm/dense_tiles.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace tamis {
namespace {

TEST(DenseTiles, EveryElementIsWhereTheFormatSays) {
  for (const auto& [outputs, runs, run] : {std::tuple(64, 1, 64), {70, 3, 100}, {8, 2, 8}, {130, 1, 13}}) {
    std::vector<uint16_t> weight(static_cast<size_t>(outputs * runs * run));
    std::iota(weight.begin(), weight.end(), uint16_t{1});
    std::vector<std::byte> packed(DenseTilesBytes(outputs, runs, run), std::byte{0xff});
    PackDenseTiles(weight.data(), outputs, runs, run, packed.data());
    const auto* halves = reinterpret_cast<const uint16_t*>(packed.data());
    const int run_tiles = (run + 63) / 64;
    const size_t tiles = packed.size() / kDenseTileBytes;
    for (size_t tile = 0; tile < tiles; ++tile) {
      const int along = static_cast<int>(tile) % (runs * run_tiles);
      const int panel = static_cast<int>(tile) / (runs * run_tiles);
      for (int r = 0; r < 64; ++r) {
        for (int i = 0; i < 64; ++i) {
          const int output = panel * 64 + r, input = along % run_tiles * 64 + i;
          const bool inside = output < outputs && input < run;
          const size_t from = static_cast<size_t>((output * runs + along / run_tiles) * run + input);
          const size_t at = tile * 4096 + static_cast<size_t>(r * 64 + ((i / 8) ^ (r % 8)) * 8 + i % 8);
          ASSERT_EQ(halves[at], inside ? weight[from] : 0) << tile << " " << r << " " << i;
        }
      }
    }
  }
}

}  // namespace
}  // namespace tamis
