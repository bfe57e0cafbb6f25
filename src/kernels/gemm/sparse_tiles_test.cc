#include "src/kernels/gemm/sparse_tiles.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "src/base/float16.h"

namespace tamis {
namespace {

uint16_t Half(float v) {
  return FloatToHalf(v);
}

// Random integers with at most two non-zeros a group, fewer at random, some of the zeros negative.
Tensor RandomTwoFour(int64_t outputs, int64_t depth, std::mt19937& random) {
  Tensor weight(DType::kFloat16, {outputs, depth});
  for (int64_t o = 0; o < outputs; ++o) {
    for (int64_t k = 0; k < depth; k += 4) {
      for (int64_t i = k; i < std::min(depth, k + 4); ++i) {
        weight.Data<uint16_t>()[o * depth + i] = random() % 2 == 0 ? 0x8000 : 0;
      }
      for (int kept = 0; kept < 2; ++kept) {
        const int64_t at = k + static_cast<int64_t>(random() % 4);
        if (at < depth) weight.Data<uint16_t>()[o * depth + at] = Half(static_cast<float>(random() % 9) - 4);
      }
    }
  }
  return weight;
}

// What a warp's mma.sp.m16n8k32 of lane `lane` sees of A: element j (0 .. 7) of its four registers stands at
// (row, value) of the 16 x 16 kept values.
struct LaneElement {
  int row, value;
};
LaneElement ElementOfLane(int lane, int j) {
  return {lane / 4 + (j / 2 % 2) * 8, lane % 4 * 2 + j % 2 + j / 4 * 8};
}

// Decodes as the instruction defines it: kept value v of a row belongs to group v / 2, its position is two bits of the
// word that thread (2 selector + (v / 8)) of the row's quad holds, the rows from 8 on in the high half.
int PositionOf(const std::vector<uint32_t>& words, int selector, int row, int value) {
  const uint32_t word = words[static_cast<size_t>(row % 8 * 4 + selector * 2 + value / 8)];
  return static_cast<int>(word >> (row / 8 * 16 + value % 8 * 2)) & 3;
}

Tensor Unpack(const std::vector<std::byte>& packed, int64_t outputs, int64_t depth, SparseTileOrder order) {
  Tensor weight(DType::kFloat16, {outputs, depth});
  const int64_t tiles = SparseTileCount(depth);
  for (int64_t tile_row = 0; tile_row < SparseTileCount(outputs); ++tile_row) {
    for (int64_t tile = 0; tile < tiles; ++tile) {
      const std::byte* from = packed.data() + (tile_row * tiles + tile) * kSparseTileBytes;
      for (int warp = 0; warp < 4; ++warp) {
        std::vector<uint32_t> words(32);
        const bool whole = order == SparseTileOrder::kWarpgroup;
        std::memcpy(words.data(), from + (whole ? 4096 + warp * 128 : warp * 1152 + 1024), 128);
        for (int selector = 0; selector < 2; ++selector) {
          for (int lane = 0; lane < 32; ++lane) {
            for (int j = 0; j < 8; ++j) {
              const auto [row, value] = ElementOfLane(lane, j);
              const int row_of_tile = warp * 16 + row, column = selector * 16 + value;
              const int64_t at = whole
                                     ? row_of_tile * 64 + (((column / 8) ^ (row_of_tile / 2 % 4)) * 8 + column % 8) * 2
                                     : warp * 1152 + selector * 512 + lane * 16 + j * 2;
              uint16_t bits = 0;
              std::memcpy(&bits, from + at, 2);
              if (value % 2 == 0) {
                EXPECT_LT(PositionOf(words, selector, row, value), PositionOf(words, selector, row, value + 1));
              }
              const int64_t k = tile * 64 + selector * 32 + value / 2 * 4 + PositionOf(words, selector, row, value);
              const int64_t o = tile_row * 64 + row_of_tile;
              if (o < outputs && k < depth) {
                if (bits != 0) weight.Data<uint16_t>()[o * depth + k] = bits;
              } else {
                EXPECT_EQ(bits, 0) << "output " << o << ", input " << k;
              }
            }
          }
        }
      }
    }
  }
  return weight;
}

class SparseTiles : public testing::TestWithParam<SparseTileOrder> {};

TEST_P(SparseTiles, HoldsTheWeightAsTheInstructionsReadIt) {
  const unsigned seed = 20251125;
  std::mt19937 random(seed);
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  const int64_t shapes[][2] = {{64, 64}, {1, 1}, {65, 63}, {10, 130}, {128, 256}, {72, 8}};
  for (const auto& [outputs, depth] : shapes) {
    SCOPED_TRACE(testing::Message() << outputs << " x " << depth);
    const Tensor weight = RandomTwoFour(outputs, depth, random);
    std::vector<std::byte> packed(SparseTilesBytes(outputs, 1, depth), std::byte{0xee});
    ASSERT_TRUE(PackSparseTiles(weight, DType::kFloat16, GetParam(), packed.data()).ok());
    const Tensor unpacked = Unpack(packed, outputs, depth, GetParam());
    for (int64_t i = 0; i < weight.NumElements(); ++i) {
      ASSERT_EQ(HalfToFloat(weight.Data<uint16_t>()[i]), HalfToFloat(unpacked.Data<uint16_t>()[i])) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Orders, SparseTiles, testing::Values(SparseTileOrder::kWarpgroup, SparseTileOrder::kWarp));

// Every run of a convolution's weight is padded on its own: as if its zeros were there.
TEST(SparseTilesRuns, ArePaddedEach) {
  std::mt19937 random(3);
  const Tensor weight = RandomTwoFour(10, 6 * 72, random).Reshaped({10, 2, 3, 72});
  Tensor padded(DType::kFloat16, {10, 6 * 128});
  for (int64_t row = 0; row < 60; ++row) {
    std::copy_n(weight.Data<uint16_t>() + row * 72, 72, padded.Data<uint16_t>() + row * 128);
  }
  std::vector<std::byte> packed(SparseTilesBytes(10, 6, 72)), expected(SparseTilesBytes(10, 1, 6 * 128));
  ASSERT_EQ(packed.size(), expected.size());
  ASSERT_TRUE(PackSparseTiles(weight, DType::kFloat16, SparseTileOrder::kWarpgroup, packed.data()).ok());
  ASSERT_TRUE(PackSparseTiles(padded, DType::kFloat16, SparseTileOrder::kWarpgroup, expected.data()).ok());
  EXPECT_TRUE(packed == expected);
}

TEST(SparseTilesErrors, NamesTheBrokenGroup) {
  Tensor weight(DType::kFloat32, {2, 12});
  for (int i : {4, 5, 7}) weight.Data<float>()[12 + i] = 1;
  std::vector<std::byte> packed(SparseTilesBytes(2, 1, 12));
  const Status status = PackSparseTiles(weight, DType::kFloat16, SparseTileOrder::kWarp, packed.data());
  EXPECT_NE(status.message().find("row 1 breaks the 2:4 pattern in the group at column 4"), std::string::npos)
      << status.message();
}

TEST(SparseTilesErrors, NamesTheElementBeyondTheRange) {
  Tensor weight(DType::kFloat32, {1, 8});
  weight.Data<float>()[6] = 7e4f;
  std::vector<std::byte> packed(SparseTilesBytes(1, 1, 8));
  EXPECT_TRUE(PackSparseTiles(weight, DType::kBFloat16, SparseTileOrder::kWarp, packed.data()).ok());
  const Status status = PackSparseTiles(weight, DType::kFloat16, SparseTileOrder::kWarp, packed.data());
  EXPECT_NE(status.message().find("row 0, column 6 is beyond the range of float16"), std::string::npos)
      << status.message();
}

}  // namespace
}  // namespace tamis
