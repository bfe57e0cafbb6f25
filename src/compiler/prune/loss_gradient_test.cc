#include "src/compiler/prune/loss_gradient.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "src/compiler/prune/prune.h"
#include "src/compiler/prune/prune_test_graphs.h"

namespace tamis {
namespace {

constexpr uint32_t kSeed = 61;
constexpr int64_t kInputs = 16, kHidden = 32, kClasses = 4;

std::shared_ptr<ThreadPool> Pool() {
  return std::make_shared<ThreadPool>(2);
}

// x -> first -> Relu -> scores.
GraphPair Classifier(std::mt19937& random) {
  GraphPair network;
  network.Input("x", DType::kFloat32, {Dim::Symbol("n"), Dim(kInputs)});
  AddDense(network, "x", "first", RandomTensor({kInputs, kHidden}, random, 0.3F), true, random);
  AddRelu(network, "first", "hidden");
  AddDense(network, "hidden", "scores", RandomTensor({kHidden, kClasses}, random, 0.3F), true, random);
  for (Graph* graph : {&network.simplified, &network.fused}) graph->outputs = {ValueNamed(*graph, "scores")};
  EXPECT_TRUE(InferShapes(network.simplified).ok());
  EXPECT_TRUE(InferShapes(network.fused).ok());
  return network;
}

// |d loss / d hidden|^2 = |H (p - onehot)|^2 by the definition, over the units that Relu lets through.
double SquareAtFirst(const Graph& fused, const Tensor& x, int64_t label) {
  const auto values = Evaluate(fused, {{"x", x}});
  const Tensor& scores = values->at("scores");
  const Tensor& head = values->at("scores.weight_rows");  // [classes][hidden]
  std::array<double, kClasses> slope = {};
  double sum = 0;
  for (int64_t c = 0; c < kClasses; ++c) sum += slope[static_cast<size_t>(c)] = std::exp(scores.Data<float>()[c]);
  for (int64_t c = 0; c < kClasses; ++c)
    slope[static_cast<size_t>(c)] = slope[static_cast<size_t>(c)] / sum - (c == label);
  double square = 0;
  for (int64_t h = 0; h < kHidden; ++h) {
    if (!(values->at("hidden").Data<float>()[h] > 0)) continue;
    double g = 0;
    for (int64_t c = 0; c < kClasses; ++c) g += slope[static_cast<size_t>(c)] * head.Data<float>()[c * kHidden + h];
    square += g * g;
  }
  return square;
}

Tensor Repeated(const Tensor& row, int64_t times) {
  Tensor all(DType::kFloat32, {times, row.dim(1)});
  for (int64_t i = 0; i < times; ++i) std::copy_n(row.Data<float>(), row.dim(1), all.Data<float>() + i * row.dim(1));
  return all;
}

// Two samples, each many times, so that the mean over its copies is the estimate with many probes.
TEST(LossGradientTest, SharesFollowTheSquaredGradient) {
  std::mt19937 random(kSeed);
  const GraphPair network = Classifier(random);
  constexpr int64_t kCopies = 512;
  const std::array<Tensor, 2> samples = {RandomTensor({1, kInputs}, random), RandomTensor({1, kInputs}, random)};
  const std::array<int64_t, 2> classes = {1, 3};
  LossGradientOptions options;
  std::vector<NamedTensors> batches;
  std::array<double, 2> square = {};
  for (size_t i = 0; i < 2; ++i) {
    batches.push_back({{"x", Repeated(samples[i], kCopies)}});
    options.labels.emplace_back(kCopies, classes[i]);
    square[i] = SquareAtFirst(network.fused, samples[i], classes[i]);
  }
  // The Relu is a node of its own here, so its units are what a fused layer's activation would leave.
  const NodeId relu = network.fused.NodeIds()[1];
  options.nodes = {relu};
  const auto shares = EstimateSampleShares(network.fused, batches, options, Pool());
  ASSERT_TRUE(shares.ok()) << shares.status().message();
  const SampleShares& found = shares->at(relu);
  std::array<double, 2> mean = {};
  for (size_t i = 0; i < 2; ++i) {
    for (const float share : found[i]) mean[i] += static_cast<double>(share) / kCopies;
  }
  EXPECT_NEAR((mean[0] + mean[1]) / 2, 1, 1e-5);
  // A squared sum over random signs varies by at most sqrt(2) of itself; few of them are beyond kMostShare means.
  const double ratio = (mean[0] - 0.5) / (mean[1] - 0.5), exact = square[0] / square[1];
  const double noise = 2 * std::sqrt(2.0 / (kProbes * kCopies));
  EXPECT_NEAR(ratio, exact, 4 * noise * exact) << kSeed;
}

TEST(LossGradientTest, NoSampleCountsForMostAndNoneForNothing) {
  std::vector<std::vector<double>> squares(4, std::vector<double>(64, 0));
  squares[2][5] = 1000;
  squares[3][1] = 1;
  double sum = 0;
  for (const std::vector<float>& batch : SharesFromSquares(squares)) {
    for (const float share : batch) {
      EXPECT_GE(share, 0.5F);
      sum += share;
    }
  }
  EXPECT_NEAR(sum, 256, 1e-3);
  const SampleShares level = SharesFromSquares({{0, 0}, {0}});
  EXPECT_EQ(level[0], (std::vector<float>{1, 1}));
}

TEST(LossGradientTest, LabelsStayWithTheirSamples) {
  const std::vector<NamedTensors> batches = {{{"x", Tensor(DType::kFloat32, {2, 3})}},
                                             {{"x", Tensor(DType::kFloat32, {1, 3})}}};
  const std::vector<int64_t> labels = {4, 5, 6, 7};
  auto labelled = WithLabelsBeside(batches, labels);
  ASSERT_TRUE(labelled.ok());
  std::swap((*labelled)[0], (*labelled)[1]);
  EXPECT_EQ(TakeLabels(&*labelled), (std::vector<std::vector<int64_t>>{{6}, {4, 5}}));
  EXPECT_EQ((*labelled)[0].size(), 1U);
  const auto few = WithLabelsBeside(batches, std::span(labels).first(2));
  ASSERT_FALSE(few.ok());
  EXPECT_EQ(few.status().kind(), ErrorKind::kUser);
}

// Of samples of two kinds, those on whose answer the loss depends are fitted better than without labels.
TEST(LossGradientTest, SteepSamplesAreFittedBetter) {
  std::mt19937 random(kSeed + 1);
  const GraphPair network = Classifier(random);
  constexpr int64_t kSamples = 256;
  Tensor x = RandomTensor({kSamples, kInputs}, random);
  const auto scores = Evaluate(network.fused, {{"x", x}});
  ASSERT_TRUE(scores.ok());
  // Right answers are flat, wrong ones steep.
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < kSamples; ++i) {
    const float* row = scores->at("scores").Data<float>() + i * kClasses;
    const auto [least, most] = std::minmax_element(row, row + kClasses);
    labels.push_back((i % 8 == 0 ? least : most) - row);
  }
  const auto error_of_steep = [&](PruneOptions::Method method) {
    GraphPair pruned;
    pruned.simplified = network.simplified.Clone();
    pruned.fused = network.fused.Clone();
    PruneOptions options;
    options.method = method;
    options.labels = labels;
    const std::vector<NamedTensors> batches = {{{"x", x}}};
    const auto report = PruneFused(pruned.simplified, pruned.fused, batches, options, Pool());
    EXPECT_TRUE(report.ok()) << report.status().message();
    EXPECT_EQ(report->Pruned(), 1);  // four classes are fewer than a vector's lanes
    const auto after = Evaluate(pruned.fused, {{"x", x}});
    double error = 0;
    for (int64_t i = 0; i < kSamples * kHidden; ++i) {
      if ((i / kHidden) % 8 != 0) continue;
      error += std::pow(after->at("first").Data<float>()[i] - scores->at("first").Data<float>()[i], 2);
    }
    return error;
  };
  EXPECT_LT(error_of_steep(PruneOptions::Method::kGradient), error_of_steep(PruneOptions::Method::kReconstruct));
}

TEST(LossGradientTest, SaysWhatIsMissing) {
  std::mt19937 random(kSeed + 2);
  GraphPair network = Classifier(random);
  const std::vector<NamedTensors> batches = {{{"x", RandomTensor({8, kInputs}, random)}}};
  PruneOptions options;
  options.method = PruneOptions::Method::kGradient;
  const auto none = PruneFused(network.simplified, network.fused, batches, options, Pool());
  ASSERT_FALSE(none.ok());
  EXPECT_NE(none.status().message().find("a label for every sample"), std::string::npos) << none.status().message();
  options.labels = {0, 1, 2, 3, 4, 0, 1, 2};
  const auto outside = PruneFused(network.simplified, network.fused, batches, options, Pool());
  ASSERT_FALSE(outside.ok());
  EXPECT_NE(outside.status().message().find("sample 4 has 4"), std::string::npos) << outside.status().message();
  network.fused.value(network.fused.outputs[0]).type.shape[1] = Dim::Symbol("m");
  EXPECT_FALSE(FindScoreOutput(network.fused).ok());
}

}  // namespace
}  // namespace tamis
