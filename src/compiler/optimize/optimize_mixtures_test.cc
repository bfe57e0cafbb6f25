#include "src/compiler/optimize/optimize_mixtures.h"

#include <gtest/gtest.h>

namespace tamis {
namespace {

NamedTensors Batch(std::vector<float> values, int64_t columns) {
  const auto rows = static_cast<int64_t>(values.size()) / columns;
  return {{"x", Tensor::Of<float>(DType::kFloat32, {rows, columns}, std::span<const float>(values))}};
}

std::vector<float> Values(const NamedTensors& batch) {
  const auto span = batch.at("x").Span<float>();
  return {span.begin(), span.end()};
}

TEST(MixSamplesTest, RowsMeetThoseOfTheNextBatch) {
  // The last batch is shorter: its rows are met again from the start.
  const std::vector<NamedTensors> batches = {Batch({0, 4, 8, 12}, 2), Batch({100, 200}, 2)};
  const auto mixed = MixSamples(batches, 0.25F);
  ASSERT_EQ(mixed.size(), 2U);
  EXPECT_EQ(Values(mixed[0]), (std::vector<float>{25, 53, 31, 59}));
  EXPECT_EQ(Values(mixed[1]), (std::vector<float>{75, 151}));
  EXPECT_EQ(Values(batches[0]), (std::vector<float>{0, 4, 8, 12}));
}

TEST(MixSamplesTest, TheOnlyBatchAndThoseOfOtherShapesMixWithinThemselves) {
  const std::vector<NamedTensors> one = {Batch({0, 4, 8}, 1)};
  EXPECT_EQ(Values(MixSamples(one, 0.25F)[0]), (std::vector<float>{1, 5, 6}));
  const std::vector<NamedTensors> shapes = {Batch({0, 4}, 1), Batch({0, 4, 8, 12}, 2)};
  const auto mixed = MixSamples(shapes, 0.25F);
  EXPECT_EQ(Values(mixed[0]), (std::vector<float>{1, 3}));
  EXPECT_EQ(Values(mixed[1]), (std::vector<float>{2, 6, 6, 10}));
}

TEST(MixSamplesTest, IdsCannotBeMixed) {
  std::vector<NamedTensors> batches = {Batch({0, 4}, 1)};
  batches[0]["ids"] = Tensor(DType::kInt64, {2, 3});
  EXPECT_TRUE(MixSamples(batches, 0.25F).empty());
  EXPECT_TRUE(MixSamples({}, 0.25F).empty());
}

}  // namespace
}  // namespace tamis
