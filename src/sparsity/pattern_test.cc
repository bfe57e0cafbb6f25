#include "src/sparsity/pattern.h"

#include <gtest/gtest.h>

#include <random>

#include "src/sparsity/magnitude.h"

namespace tamis {
namespace {

Tensor Floats(Dims dims, const std::vector<float>& values) {
  return Tensor::Of<float>(DType::kFloat32, std::move(dims), std::span<const float>(values));
}

TEST(PatternTest, LayoutRunsFollowTheLastAxis) {
  const WeightLayout layout = LayoutOf(Dims{8, 3, 3, 6});
  EXPECT_EQ(layout.rows, 8);
  EXPECT_EQ(layout.columns, 54);
  EXPECT_EQ(layout.run, 6);
  EXPECT_EQ(layout.GroupsPerRow(), 18);
  EXPECT_EQ(layout.GroupBegin(3), 10);
  EXPECT_EQ(layout.GroupSize(2), 4);
  EXPECT_EQ(layout.GroupSize(3), 2);
}

TEST(PatternTest, NamesTheFirstBrokenGroup) {
  // Rows of two runs of five: groups of 4 and 1.
  Tensor weight(DType::kFloat32, {2, 2, 5});
  float* data = weight.Data<float>();
  data[0] = 1, data[3] = -0.0F, data[2] = 2, data[4] = 3;
  auto broken = FindBrokenGroup(weight);
  ASSERT_TRUE(broken.ok());
  EXPECT_FALSE(broken->has_value());
  data[15] = 1, data[16] = 1, data[18] = 1;
  broken = FindBrokenGroup(weight);
  ASSERT_TRUE(broken.ok() && broken->has_value());
  EXPECT_EQ((*broken)->coordinates, (Dims{1, 1, 0}));
  EXPECT_EQ((*broken)->nonzeros, 3);
  EXPECT_EQ((*broken)->ToString(), "3 non-zeros in the group at [1, 1, 0]");
}

TEST(PatternTest, RefusesWhatHasNoPattern) {
  EXPECT_FALSE(FindBrokenGroup(Tensor(DType::kFloat32, {8})).ok());
  EXPECT_FALSE(FindBrokenGroup(Tensor(DType::kInt64, {8, 8})).ok());
}

TEST(PatternTest, CanonicalCodes) {
  const Tensor weight = Floats({3, 6}, {0, 5, 0, 7, 0, 0, 0, 0, 0, 3, 0, 2, 0, 0, 0, 0, 0, 4});
  const auto compressed = Compress(weight);
  ASSERT_TRUE(compressed.ok()) << compressed.status().message();
  EXPECT_EQ(compressed->values.dims(), (Dims{3, 2, 2}));
  const std::vector<float> values(compressed->values.Span<float>().begin(), compressed->values.Span<float>().end());
  EXPECT_EQ(values, (std::vector<float>{5, 7, 0, 0, 0, 3, 0, 2, 0, 0, 0, 4}));
  const auto code = [](int first, int second) { return first | second << 2; };
  ASSERT_EQ(compressed->codes.dims(), (Dims{3, 1}));
  EXPECT_EQ(compressed->codes.Data<uint8_t>()[0], code(1, 3) | code(0, 1) << 4);
  EXPECT_EQ(compressed->codes.Data<uint8_t>()[1], code(0, 3) | code(0, 1) << 4);
  EXPECT_EQ(compressed->codes.Data<uint8_t>()[2], code(0, 1) | code(0, 1) << 4);
}

class PatternRoundTrip : public testing::TestWithParam<DType> {};

TEST_P(PatternRoundTrip, RandomMasks) {
  std::mt19937 random(7);
  for (const Dims& dims : {Dims{4, 16}, Dims{3, 7}, Dims{2, 3, 3, 9}, Dims{5, 1, 2}, Dims{0, 8}}) {
    Tensor weight(GetParam(), dims);
    const WeightLayout layout = LayoutOf(dims);
    const size_t size = ByteSize(GetParam(), 1);
    for (int64_t row = 0; row < layout.rows; ++row) {
      for (int64_t g = 0; g < layout.GroupsPerRow(); ++g) {
        const auto& pair = kGroupPairs[random() % kGroupPairs.size()];
        for (int position : pair) {
          if (position >= layout.GroupSize(g) || random() % 4 == 0) continue;
          std::byte* element =
              weight.raw() + static_cast<size_t>(row * layout.columns + layout.GroupBegin(g) + position) * size;
          for (size_t i = 0; i < size; ++i) element[i] = static_cast<std::byte>(1 + random() % 100);
        }
      }
    }
    const auto compressed = Compress(weight);
    ASSERT_TRUE(compressed.ok()) << compressed.status().message();
    const auto back = Decompress(*compressed);
    ASSERT_TRUE(back.ok()) << back.status().message();
    ASSERT_EQ(back->dims(), dims);
    EXPECT_TRUE(std::equal(weight.raw(), weight.raw() + weight.NumBytes(), back->raw())) << ToString(dims);
  }
}
INSTANTIATE_TEST_SUITE_P(DTypes, PatternRoundTrip,
                         testing::Values(DType::kFloat32, DType::kBFloat16, DType::kFloat16, DType::kInt8,
                                         DType::kFloat64));

TEST(PatternTest, DecompressRefusesForgedParts) {
  const auto compressed = Compress(Floats({1, 5}, {1, 2, 0, 0, 3}));
  ASSERT_TRUE(compressed.ok());
  CompressedWeight forged = *compressed;
  forged.codes = compressed->codes.Clone();
  forged.codes.Data<uint8_t>()[0] = 0;  // twice the first position
  EXPECT_FALSE(Decompress(forged).ok());
  forged.codes.Data<uint8_t>()[0] = 0x44 | 0x80;  // 0,1 then 0,3: a value of the padding, which is zero
  EXPECT_TRUE(Decompress(forged).ok());
  forged.codes.Data<uint8_t>()[0] = 0xe4;  // 0,1 then 2,3: the 3 would lie outside
  EXPECT_FALSE(Decompress(forged).ok());
  forged = *compressed;
  forged.dims = {2, 5};
  EXPECT_FALSE(Decompress(forged).ok());
  forged.dims = {int64_t{1} << 40, int64_t{1} << 40};
  EXPECT_FALSE(Decompress(forged).ok());
  EXPECT_FALSE(Compress(Floats({1, 4}, {1, 2, 3, 0})).ok());
}

TEST(MagnitudeTest, KeepsTheTwoLargest) {
  const std::vector<float> weight = {1, -4, 3, 2, 5, 5, 5, 5, 9, 8, 7};
  const WeightLayout layout = {1, 11, 11};
  const Mask mask = MagnitudeMask(weight, layout);
  EXPECT_EQ(mask, (Mask{0, 1, 1, 0, 1, 1, 0, 0, 1, 1, 0}));
  EXPECT_DOUBLE_EQ(SaliencyKept(weight, mask), (16.0 + 9 + 50 + 81 + 64) / (30.0 + 100 + 81 + 64 + 49));
  std::vector<float> pruned = weight;
  ApplyMask(mask, pruned);
  EXPECT_EQ(pruned, (std::vector<float>{0, -4, 3, 0, 5, 5, 0, 0, 9, 8, 0}));
  EXPECT_EQ(SaliencyKept(std::vector<float>(4, 0.0F), Mask{1, 1, 0, 0}), 1);
}

TEST(GroupMasks, RunsAndZerosOfEitherSign) {
  // Two taps of six channels: a group of four and one of two each.
  const std::vector<float> values = {1, 0, -0.0F, 2,     0, -0.0F, -0.0F, -1, 3, 0,  4, 0,
                                     0, 0, 0,     -0.0F, 1, 1,     1,     0,  0, -1, 0, -0.0F};
  const Tensor weight = Tensor::Of<float>(DType::kFloat32, {2, 2, 6}, std::span<const float>(values));
  EXPECT_EQ(GroupMasks(weight, 0, 2), (std::vector<uint8_t>{9, 0, 6, 1, 0, 3, 9, 0}));
  EXPECT_EQ(GroupMasks(weight, 1, 1), (std::vector<uint8_t>{0, 3, 9, 0}));
  EXPECT_TRUE(GroupMasks(weight, 2, 0).empty());
}

}  // namespace
}  // namespace tamis
