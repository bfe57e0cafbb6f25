#include "src/compiler/calibrate/coverage.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "src/compiler/prune/prune_test_graphs.h"

namespace tamis {
namespace {

constexpr unsigned kSeed = 29;

Tensor Normal(int64_t rows, std::mt19937& random, float scale, float shift) {
  Tensor tensor = RandomTensor({rows, 8}, random, scale);
  for (float& x : tensor.Span<float>()) x += shift;
  return tensor;
}

GraphPair Product(std::mt19937& random) {
  GraphPair network;
  network.Input("x", DType::kFloat32, {Dim::Symbol("n"), Dim(8)});
  AddDense(network, "x", "y", RandomTensor({8, 8}, random, 0.3F), false, random);
  network.simplified.outputs = {ValueNamed(network.simplified, "y")};
  EXPECT_TRUE(InferShapes(network.simplified).ok());
  return network;
}

TEST(Coverage, RecordsKeepTheDistribution) {
  RecordProperty("seed", static_cast<int>(kSeed));
  std::mt19937 random(kSeed);
  const GraphPair network = Product(random);
  const std::vector<NamedTensors> batches = {{{"x", Normal(200, random, 2, 1)}}, {{"x", Normal(200, random, 2, 1)}}};
  const std::vector<ValueRecord> records = RecordInputs(network.simplified, batches);
  ASSERT_EQ(records.size(), 1U);
  const ValueRecord& record = records[0];
  EXPECT_TRUE(record.input);
  EXPECT_EQ(record.samples, 400);
  EXPECT_EQ(record.Count(), 3200U);
  // 3200 elements: five standard errors of the mean and of the deviation, and half a bin of the histogram.
  const double bin = (record.high - record.low) / static_cast<double>(Histogram::kBins);
  EXPECT_NEAR(record.mean, 1, 5 * 2 / std::sqrt(3200.0) + bin);
  EXPECT_NEAR(record.deviation, 2, 5 * 2 / std::sqrt(2 * 3200.0) + bin);
  // The same values again differ by where the two kinds of bins cut only.
  ValueWatch watch(record);
  for (const NamedTensors& batch : batches) watch.Add(batch.at("x").Span<float>());
  EXPECT_EQ(watch.Outside(), 0);
  EXPECT_LT(watch.Divergence(), 0.01);
}

TEST(Coverage, OtherInputsAreTold) {
  std::mt19937 random(kSeed);
  const GraphPair network = Product(random);
  const std::vector<NamedTensors> seen = {{{"x", Normal(300, random, 1, 0)}}};
  const auto records = RecordInputs(network.simplified, seen);
  const std::vector<NamedTensors> alike = {{{"x", Normal(300, random, 1, 0)}}};
  EXPECT_TRUE(CompareInputs(records, alike).empty());
  const std::vector<NamedTensors> wide = {{{"x", Normal(300, random, 4, 0)}}};
  const auto notices = CompareInputs(records, wide);
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_NE(notices[0].find("'x'"), std::string::npos);
  const std::vector<NamedTensors> narrow = {{{"x", Normal(300, random, 0.1F, 0)}}};
  EXPECT_EQ(CompareInputs(records, narrow).size(), 1U);  // nothing is outside, but it is another distribution
}

TEST(Coverage, RangesThatStillGrowAreTold) {
  std::mt19937 random(kSeed);
  const GraphPair network = Product(random);
  const NamedTensors small = {{"x", Normal(64, random, 1, 0)}}, large = {{"x", Normal(64, random, 5, 0)}};
  const std::vector<NamedTensors> growing = {small, large}, settled = {large, small};
  CalibrateOptions options;
  options.threads = 1;
  const auto moving = MeasureCoverage(network.simplified, growing, options);
  ASSERT_TRUE(moving.ok()) << moving.status().message();
  EXPECT_FALSE(moving->settled);
  EXPECT_NE(moving->text.find("'x'"), std::string::npos);
  const auto enough = MeasureCoverage(network.simplified, settled, options);
  ASSERT_TRUE(enough.ok());
  EXPECT_TRUE(enough->settled) << enough->text;
  const std::vector<NamedTensors> single = {large};
  const auto unknown = MeasureCoverage(network.simplified, single, options);
  ASSERT_TRUE(unknown.ok());
  EXPECT_FALSE(unknown->settled);
}

}  // namespace
}  // namespace tamis
