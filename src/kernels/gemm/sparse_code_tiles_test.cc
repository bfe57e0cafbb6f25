#include "src/kernels/gemm/sparse_code_tiles.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

namespace tamis {
namespace {

constexpr unsigned kSeed = 20251127;

// At most two non-zeros a group, fewer at random.
std::vector<int8_t> RandomTwoFour(int64_t outputs, int64_t depth) {
  std::mt19937 random(kSeed);
  std::vector<int8_t> weight(static_cast<size_t>(outputs * depth));
  for (int64_t group = 0; group < outputs * depth / 4; ++group) {
    for (int kept = 0; kept < 2; ++kept) {
      weight[static_cast<size_t>(group * 4 + static_cast<int64_t>(random() % 4))] = static_cast<int8_t>(random());
    }
  }
  return weight;
}

// Decodes as PTX defines the instruction: kept value v (0 .. 31) of row r of a product of 64 inputs belongs to group
// v / 2, and its position is two bits of a word: of lane 4 (r % 8) + r / 8 % 2 for the first 32 inputs, two lanes
// further for the others, in the warp of the row.
TEST(SparseCodeTiles, HoldTheWeightAsTheInstructionReadsIt) {
  for (const auto& [outputs, runs, run] : {std::tuple(64, 1, 128), {72, 3, 80}, {8, 2, 16}, {130, 1, 272}}) {
    SCOPED_TRACE(testing::Message() << outputs << " x " << runs << " x " << run << ", seed " << kSeed);
    const std::vector<int8_t> weight = RandomTwoFour(outputs, int64_t{runs} * run);
    std::vector<std::byte> packed(SparseCodeTilesBytes(outputs, runs, run), std::byte{0xee});
    ASSERT_TRUE(PackSparseCodeTiles(weight.data(), outputs, runs, run, packed.data()).ok());
    const int run_tiles = (run + 127) / 128, panels = (outputs + 63) / 64;
    std::vector<int8_t> unpacked(weight.size());
    for (int tile = 0; tile < panels * runs * run_tiles; ++tile) {
      const std::byte* from = packed.data() + tile * kSparseCodeTileBytes;
      const int along = tile % (runs * run_tiles), panel = tile / (runs * run_tiles);
      for (int product = 0; product < 2; ++product) {
        for (int r = 0; r < 64; ++r) {
          const int output = panel * 64 + r / 16 * 16 + r % 8 * 2 + r / 8 % 2;
          for (int v = 0; v < 32; ++v) {
            const int column = product * 32 + v;
            const auto code = static_cast<int8_t>(from[r * 64 + ((column / 16) ^ (r / 2 % 4)) * 16 + column % 16]);
            const int thread = r / 16 * 32 + r % 8 * 4 + r / 8 % 2 + v / 16 * 2;
            uint32_t word = 0;
            std::memcpy(&word, from + 4096 + thread * 8 + product * 4, 4);
            const auto position = [&](int value) { return static_cast<int>(word >> (value % 16 * 2)) & 3; };
            if (v % 2 == 0) {
              ASSERT_LT(position(v), position(v + 1));
            }
            const int input = along % run_tiles * 128 + product * 64 + v / 2 * 4 + position(v);
            if (output < outputs && input < run) {
              unpacked[static_cast<size_t>((output * runs + along / run_tiles) * run + input)] = code;
            } else {
              ASSERT_EQ(code, 0) << tile << " " << r << " " << v;
            }
          }
        }
      }
    }
    EXPECT_TRUE(unpacked == weight);
  }
}

TEST(SparseCodeTiles, NameTheBrokenGroup) {
  std::vector<int8_t> weight(2 * 3 * 16);
  for (const int i : {4, 5, 7}) weight[static_cast<size_t>(3 * 16 + 2 * 16 + i)] = 1;
  std::vector<std::byte> packed(SparseCodeTilesBytes(2, 3, 16));
  const Status status = PackSparseCodeTiles(weight.data(), 2, 3, 16, packed.data());
  EXPECT_NE(status.message().find("output 1 breaks the 2:4 pattern in the group of input 4 of run 2"),
            std::string::npos)
      << status.message();
}

}  // namespace
}  // namespace tamis
