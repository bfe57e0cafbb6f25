// TileProduct over tiles of an array, which behave as the Intel SDM says the registers do: its walk over rows, taps and
// steps is then tested on every machine, to the bit. What the registers themselves do family_test.cc tests where there
// are any.
#include "src/kernels/gemm/tile_product.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

namespace tamis {
namespace {

// Eight tiles of four-byte lanes, codes u8 x s8. Whatever the registers would fault on fails the test.
struct ArrayTiles {
  static inline TileShapes shapes;
  static inline bool configured = false;
  static inline int configurations = 0;
  static inline std::byte data[8][kTileRows][64];

  static void Configure(const TileShapes& given) {
    for (int tile = 0; tile < 8; ++tile) {
      ASSERT_LE(given.rows[tile], kTileRows);
      ASSERT_LE(given.row_bytes[tile], 64);
      ASSERT_EQ(given.rows[tile] == 0, given.row_bytes[tile] == 0) << "one of them alone is a fault";
    }
    shapes = given;
    configured = true;
    ++configurations;
    std::memset(data, 0, sizeof(data));
  }
  static void Release() {
    configured = false;
    shapes = {};
  }
  template <int kTile>
  static void Zero() {
    ASSERT_TRUE(configured && shapes.rows[kTile] > 0) << "tile " << kTile;
    std::memset(data[kTile], 0, sizeof(data[kTile]));
  }
  template <int kTile>
  static void Load(const void* from, int64_t stride) {
    ASSERT_TRUE(configured && shapes.rows[kTile] > 0) << "tile " << kTile;
    Zero<kTile>();
    for (int row = 0; row < shapes.rows[kTile]; ++row) {
      std::memcpy(data[kTile][row], static_cast<const std::byte*>(from) + row * stride, shapes.row_bytes[kTile]);
    }
  }
  template <int kTile>
  static void Store(void* to, int64_t stride) {
    ASSERT_TRUE(configured && shapes.rows[kTile] > 0) << "tile " << kTile;
    for (int row = 0; row < shapes.rows[kTile]; ++row) {
      std::memcpy(static_cast<std::byte*>(to) + row * stride, data[kTile][row], shapes.row_bytes[kTile]);
    }
  }
  template <int kSums, int kX, int kWeights>
  static void Multiply() {
    ASSERT_EQ(shapes.rows[kSums], shapes.rows[kX]);
    ASSERT_EQ(shapes.row_bytes[kSums], shapes.row_bytes[kWeights]);
    ASSERT_EQ(shapes.row_bytes[kX], shapes.rows[kWeights] * 4);
    for (int row = 0; row < shapes.rows[kSums]; ++row) {
      for (int lane = 0; lane < shapes.row_bytes[kSums] / 4; ++lane) {
        int32_t sum = 0;
        std::memcpy(&sum, &data[kSums][row][lane * 4], 4);
        for (int i = 0; i < shapes.row_bytes[kX]; ++i) {
          const auto x = static_cast<uint8_t>(data[kX][row][i]);
          const auto w = static_cast<int8_t>(data[kWeights][i / 4][lane * 4 + i % 4]);
          sum += int32_t{x} * w;
        }
        std::memcpy(&data[kSums][row][lane * 4], &sum, 4);
      }
    }
  }
};

// Weights that are made, two steps at the least, in one of two places: what Follow made ahead or, where other steps are
// asked for, anew.
class MadeWeights {
 public:
  static constexpr int64_t kUnit = 2;
  static inline int asked = 0, anew = 0;

  explicit MadeWeights(const std::byte* first) : first_(first) {}

  const std::byte* At(int64_t step, int64_t count) {
    EXPECT_EQ(step % kUnit, 0);
    EXPECT_EQ(count % kUnit, 0);
    EXPECT_LE(count, kTileSteps);
    ++asked;
    if (step != step_ || count != count_) {
      Make(step, count);
      ++anew;
    }
    return slots_[slot_];
  }
  void Follow() { Make(step_ + count_, count_); }

 private:
  void Make(int64_t step, int64_t count) {
    slot_ ^= 1;
    step_ = step;
    count_ = count;
    std::memset(slots_[slot_], 0x55, sizeof(slots_[slot_]));
    std::memcpy(slots_[slot_], first_ + step * kStepBytes, static_cast<size_t>(count * kStepBytes));
  }

  const std::byte* first_;
  int64_t step_ = 0, count_ = 0;
  int slot_ = 0;
  alignas(64) std::byte slots_[2][kTileSteps * kStepBytes];
};

// Rows of `lines` lines times weights drawn at random, against sums over bytes.
template <class Weights = StoredWeights>
void Check(int64_t lines, int64_t line_rows, int64_t tap_count, int64_t steps, bool starts, std::mt19937& random,
           TileState* state) {
  const auto draw = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
  const int64_t bytes = steps * 4, rows = lines * line_rows;
  std::vector<int64_t> taps;  // which overlap, as those of a convolution do, in elements of two bytes
  for (int64_t tap = 0; tap < tap_count; ++tap) taps.push_back(tap * 2);
  const int64_t pitch = bytes + 12, line_pitch = line_rows * pitch + 8;
  // Not a byte behind the last that is multiplied.
  std::vector<uint8_t> x(
      static_cast<size_t>((lines - 1) * line_pitch + (line_rows - 1) * pitch + bytes + (tap_count - 1) * 4));
  // What MadeWeights makes behind the last step is not looked at.
  std::vector<int8_t> weights(static_cast<size_t>((tap_count * steps + kTileSteps) * kStepBytes));
  alignas(64) int32_t start[32];
  for (auto& value : x) value = static_cast<uint8_t>(draw(0, 255));
  for (auto& value : weights) value = static_cast<int8_t>(draw(-128, 127));
  for (auto& value : start) value = starts ? draw(-1000, 1000) : 0;
  int64_t next = 0;
  TileProduct<ArrayTiles, Weights> product({.x = reinterpret_cast<const std::byte*>(x.data()),
                                            .pitch = pitch,
                                            .line_rows = lines > 1 ? line_rows : 0,
                                            .line_pitch = line_pitch,
                                            .taps = taps,
                                            .element = 2,
                                            .tap_steps = steps,
                                            .start = starts ? start : nullptr},
                                           state, reinterpret_cast<const std::byte*>(weights.data()));
  product.Run(rows, SharedLines(nullptr, 0, rows), [&](int64_t first, int some, const std::byte* sums) {
    ASSERT_EQ(first, next);
    ASSERT_LE(some, TileProduct<ArrayTiles>::kFinishedRows);
    next += some;
    for (int64_t row = first; row < next; ++row) {
      const uint8_t* const of_row = x.data() + row / line_rows * line_pitch + row % line_rows * pitch;
      for (int64_t lane = 0; lane < 32; ++lane) {
        int32_t expected = start[lane], sum = 0;
        for (int64_t tap = 0; tap < tap_count; ++tap) {
          for (int64_t i = 0; i < bytes; ++i) {
            const auto weight = static_cast<size_t>((tap * steps + i / 4) * kStepBytes + lane * 4 + i % 4);
            expected += int32_t{of_row[tap * 4 + i]} * weights[weight];
          }
        }
        std::memcpy(&sum, sums + (row - first) * kSumsPitch + lane * 4, sizeof(sum));
        ASSERT_EQ(sum, expected) << "row " << row << ", lane " << lane;
      }
    }
  });
  EXPECT_EQ(next, rows);
}

TEST(TileProduct, SumsEveryRowTapAndStep) {
  constexpr uint32_t kSeed = 7;
  RecordProperty("seed", kSeed);
  std::mt19937 random(kSeed);
  for (const int64_t steps : {1, 2, 5, 15, 16, 17, 18, 24, 31, 32, 33, 40, 48, 67, 160}) {
    for (const int64_t tap_count : {1, 3}) {
      for (const int64_t rows : {1, 2, 15, 16, 17, 31, 32, 33, 50, 64, 70, 127, 128, 129, 150}) {
        if (rows * steps * tap_count > 12000) continue;
        SCOPED_TRACE(testing::Message() << steps << " steps, " << tap_count << " taps, " << rows << " rows");
        {
          TileState state;
          Check(1, rows, tap_count, steps, rows % 2 == 0, random, &state);
        }
        if (testing::Test::HasFatalFailure()) return;
        EXPECT_FALSE(ArrayTiles::configured) << "tiles are to be released";
      }
    }
  }
}

TEST(TileProduct, TakesWeightsThatAreMade) {
  constexpr uint32_t kSeed = 10;
  RecordProperty("seed", kSeed);
  std::mt19937 random(kSeed);
  for (const int64_t steps : {2, 10, 16, 18, 22, 34, 36, 48, 74, 160}) {
    for (const int64_t tap_count : {1, 3}) {
      for (const int64_t rows : {1, 2, 16, 17, 32, 33, 50, 64}) {
        SCOPED_TRACE(testing::Message() << steps << " steps, " << tap_count << " taps, " << rows << " rows");
        TileState state;
        MadeWeights::asked = MadeWeights::anew = 0;
        Check<MadeWeights>(1, rows, tap_count, steps, rows % 2 == 0, random, &state);
        if (testing::Test::HasFatalFailure()) return;
        const bool one_shape = steps <= 16 || steps % 16 == 0;
        if (one_shape) {
          EXPECT_EQ(MadeWeights::anew, (rows + 31) / 32) << "of " << MadeWeights::asked;
        }
      }
    }
  }
}

TEST(TileProduct, TakesLines) {
  constexpr uint32_t kSeed = 8;
  RecordProperty("seed", kSeed);
  std::mt19937 random(kSeed);
  for (const int64_t lines : {2, 3, 8, 11}) {
    for (const int64_t line_rows : {1, 7, 14, 16, 17, 28, 35}) {
      for (const int64_t steps : {9, 16, 24, 50}) {
        SCOPED_TRACE(testing::Message() << lines << " lines of " << line_rows << " rows, " << steps << " steps");
        TileState state;
        Check(lines, line_rows, 2, steps, line_rows % 2 == 0, random, &state);
        if (steps % 2 == 0) Check<MadeWeights>(lines, line_rows, 2, steps, line_rows % 2 == 0, random, &state);
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

// How often tiles are configured for products one after the other that share a state.
TEST(TileProduct, ConfiguresTilesWhereShapesChange) {
  std::mt19937 random(9);
  struct Case {
    int64_t rows, steps;
    int configurations;
  };
  TileState state;
  for (const Case& one : {Case{64, 32, 1}, Case{64, 64, 0}, Case{32, 16, 0},  // pairs of 16 rows and 16 steps
                          Case{48, 16, 1},                                    // and a tile alone
                          Case{49, 16, 2},                                    // 13 beside 12, then pairs of 12
                          Case{64, 72, 1},                                    // six of 12 steps, not four and a half
                          Case{64, 37, 4}}) {                                 // 16, 5, and again for the second pair
    ArrayTiles::configurations = 0;
    Check(1, one.rows, 1, one.steps, false, random, &state);
    EXPECT_EQ(ArrayTiles::configurations, one.configurations) << one.rows << " rows, " << one.steps << " steps";
  }
}

}  // namespace
}  // namespace tamis
