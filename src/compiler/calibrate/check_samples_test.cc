#include "src/compiler/calibrate/check_samples.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "src/compiler/calibrate/scaling_trial.h"
#include "src/compiler/prune/prune_test_graphs.h"

namespace tamis {
namespace {

constexpr int64_t kClasses = 6, kFeatures = 12;
constexpr uint64_t kSeed = 19;

Tensor Rows(Dims dims, std::vector<float> values) {
  return Tensor::Of<float>(DType::kFloat32, std::move(dims), std::span<const float>(values));
}

// A classifier of points around a centre for each class, as trained on features of mean 0 and deviation 1.
struct Classifier {
  Graph graph;
  Tensor points;  // [samples][features], class after class
};

Classifier MakeClassifier(int64_t samples) {
  std::mt19937_64 random(kSeed);
  std::normal_distribution<float> normal;
  Tensor centres(DType::kFloat32, {kClasses, kFeatures});
  for (float& x : centres.Span<float>()) x = normal(random);
  Classifier made;
  made.points = Tensor(DType::kFloat32, {samples, kFeatures});
  for (int64_t s = 0; s < samples; ++s) {
    const int64_t c = s * kClasses / samples;
    for (int64_t f = 0; f < kFeatures; ++f) {
      made.points.Data<float>()[s * kFeatures + f] = centres.Data<float>()[c * kFeatures + f] + 0.3F * normal(random);
    }
  }
  Tensor weight(DType::kFloat32, {kFeatures, kClasses});
  std::vector<float> bias(kClasses, 0);
  for (int64_t c = 0; c < kClasses; ++c) {
    for (int64_t f = 0; f < kFeatures; ++f) {
      const float x = centres.Data<float>()[c * kFeatures + f];
      weight.Data<float>()[f * kClasses + c] = 2 * x;
      bias[static_cast<size_t>(c)] -= x * x;
    }
  }
  GraphPair network;
  network.Input("x", DType::kFloat32, {Dim::Symbol("n"), Dim(kFeatures)});
  Graph& graph = network.simplified;
  graph.AddConstant("w", weight);
  graph.AddConstant("b", Rows({kClasses}, bias));
  Append(graph, "Gemm", "", {"x", "w", "b"}, "y");
  graph.outputs = {ValueNamed(graph, "y")};
  EXPECT_TRUE(InferShapes(graph).ok());
  made.graph = std::move(graph);
  return made;
}

Tensor Mapped(const Tensor& x, float scale, float offset) {
  Tensor y = x.Clone();
  for (float& value : y.Span<float>()) value = value * scale + offset;
  return y;
}

std::vector<std::string> Notices(const Graph& graph, const Tensor& x) {
  const std::vector<NamedTensors> batches = {{{"x", x}}};
  const auto notices = CheckSamples(graph, batches, {.threads = 1});
  EXPECT_TRUE(notices.ok()) << notices.status().message();
  return notices.ok() ? *notices : std::vector<std::string>();
}

TEST(PredictiveInformation, IsTheEntropyOfTheMeanLessTheMeanEntropy) {
  EXPECT_NEAR(PredictiveInformation(Rows({2, 2}, {1, 0, 0, 1})), std::log(2.0), 1e-12);
  EXPECT_NEAR(PredictiveInformation(Rows({2, 2}, {0.5, 0.5, 0.5, 0.5})), 0, 1e-12);
  EXPECT_NEAR(PredictiveInformation(Rows({2, 2}, {1, 0, 1, 0})), 0, 1e-12);
  // Logits: the softmax of {0, log 3} is {1/4, 3/4}, and the mean of both rows is even.
  const float log3 = std::log(3.0F);
  const double entropy = -(0.25 * std::log(0.25) + 0.75 * std::log(0.75));
  EXPECT_NEAR(PredictiveInformation(Rows({2, 2}, {0, log3, log3, 0})), std::log(2.0) - entropy, 1e-6);
}

TEST(CheckSamples, InputsAsInTrainingAreNotRemarkedOn) {
  RecordProperty("seed", kSeed);
  const Classifier made = MakeClassifier(60);
  EXPECT_TRUE(Notices(made.graph, made.points).empty());
}

TEST(CheckSamples, WrongScalingsAreNamed) {
  const Classifier made = MakeClassifier(60);
  for (const auto& [scale, offset] : {std::pair(0.1F, 0.5F), std::pair(30.0F, 128.0F)}) {
    const auto notices = Notices(made.graph, Mapped(made.points, scale, offset));
    ASSERT_EQ(notices.size(), 1U) << scale;
    EXPECT_NE(notices[0].find("not to be normalised"), std::string::npos);
    EXPECT_NE(notices[0].find("mean 0 and deviation 1"), std::string::npos);
  }
}

TEST(CheckSamples, SamplesOfOneClassAreNotTakenForAWrongScaling) {
  const Classifier made = MakeClassifier(240);
  const Tensor first = Rows({40, kFeatures}, {made.points.Data<float>(), made.points.Data<float>() + 40 * kFeatures});
  const auto notices = Notices(made.graph, first);
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_NE(notices[0].find("class 0 for 40 of 40"), std::string::npos) << notices[0];
}

TEST(CheckSamples, FewAndRepeatedSamplesAreTold) {
  const Classifier made = MakeClassifier(60);
  const float* x = made.points.Data<float>();
  const auto one = Notices(made.graph, Rows({1, kFeatures}, {x, x + kFeatures}));
  ASSERT_FALSE(one.empty());
  EXPECT_NE(one[0].find("one sample"), std::string::npos);
  std::vector<float> twice(x, x + 30 * kFeatures);
  twice.insert(twice.end(), x, x + 30 * kFeatures);
  const auto repeated = Notices(made.graph, Rows({60, kFeatures}, twice));
  ASSERT_FALSE(repeated.empty());
  EXPECT_NE(repeated[0].find("30 of 60"), std::string::npos);
}

TEST(CheckInputs, ListsAllThatIsUseless) {
  GraphPair network;
  network.Input("x", DType::kFloat32, {Dim::Symbol("n"), Dim(2)});
  network.Input("z", DType::kFloat32, {Dim::Symbol("n"), Dim(2)});
  network.Input("ids", DType::kInt64, {Dim::Symbol("n"), Dim(2)});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<NamedTensors> batches = {
      {{"x", Rows({2, 2}, {1, 2, nan, 4})}, {"z", Rows({2, 2}, {0, 0, 0, 0})}, {"ids", Tensor(DType::kInt64, {2, 2})}},
      {{"x", Rows({1, 2}, {1, nan})}, {"z", Rows({1, 2}, {0, 0})}, {"ids", Tensor(DType::kInt64, {1, 2})}}};
  const Status status = CheckInputs(network.simplified, batches);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.kind(), ErrorKind::kUser);
  EXPECT_NE(status.message().find("'x' holds NaN or infinity in samples 1, 2"), std::string::npos) << status.message();
  EXPECT_NE(status.message().find("'z' is all zero"), std::string::npos);
  EXPECT_EQ(status.message().find("'ids'"), std::string::npos);  // token types are often zero
}

}  // namespace
}  // namespace tamis
