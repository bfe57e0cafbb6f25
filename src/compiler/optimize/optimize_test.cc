#include "src/compiler/optimize/optimize.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "src/ops/op_def.h"

namespace tamis {
namespace {

constexpr int64_t kWidth = 512, kSamples = 240;
constexpr uint32_t kSeed = 31;

// Two products with a Tanh between them, so wide that int8 pays wherever it has kernels.
Network TwoProducts(std::mt19937* random) {
  Network network;
  network.file = "two.onnx";
  network.hash = "two";
  Graph& graph = network.graph;
  graph.opsets[""] = 17;
  const ValueId x = graph.AddValue("x", Type::Tensor(DType::kFloat32, {Dim::Symbol("n"), Dim(kWidth)}));
  graph.inputs.push_back(x);
  std::normal_distribution<float> normal(0, 1 / std::sqrt(static_cast<float>(kWidth)));
  const auto add = [&](const char* op, std::vector<ValueId> inputs, const char* output) {
    Node node;
    node.op = op;
    node.inputs = std::move(inputs);
    const ValueId value = graph.AddValue(output);
    node.outputs = {value};
    graph.AddNode(std::move(node));
    return value;
  };
  const auto weight = [&](const char* name) {
    Tensor tensor(DType::kFloat32, {kWidth, kWidth});
    for (float& w : tensor.Span<float>()) w = normal(*random);
    return graph.AddConstant(name, std::move(tensor));
  };
  const ValueId first = add("MatMul", {x, weight("w0")}, "a");
  const ValueId bounded = add("Tanh", {first}, "b");
  graph.outputs.push_back(add("MatMul", {bounded, weight("w1")}, "y"));
  EXPECT_TRUE(InferShapes(graph).ok());
  return network;
}

// Of kernels, for all tests of this file: what one has timed the next knows.
std::string Timings() {
  return (std::filesystem::path(testing::TempDir()) / fmt::format("tamis_optimize_{}", getpid()) / "timings.tsv")
      .string();
}

const std::vector<TensorSpec> kSpecs = {{"x", DType::kFloat32, {-1, kWidth}, {"n", ""}}};

Tensor RandomSamples(std::mt19937* random) {
  Tensor x(DType::kFloat32, {kSamples, kWidth});
  std::normal_distribution<float> normal;
  for (float& value : x.Span<float>()) value = normal(*random);
  return x;
}

// By magnitude, with short runs; anything may be chosen.
OptimizeOptions Quick() {
  OptimizeOptions options;
  options.build.threads = 1;
  options.build.precision = Precision::kAuto;
  options.build.profiles = {{{"x", {{1, kWidth}, {64, kWidth}, {64, kWidth}}}}};
  options.prune.method = PruneOptions::Method::kMagnitude;
  options.split = OptimizeSplit(kSamples);
  options.run_seconds = 0.05;
  options.build.cache_path = Timings();
  return options;
}

class OptimizeTest : public testing::Test {
 protected:
  static void TearDownTestSuite() { std::filesystem::remove_all(std::filesystem::path(Timings()).parent_path()); }
};

LayerSetting SettingOf(const OptimizeResult& result, const std::string& layer) {
  for (const OptimizedLayer& found : result.layers) {
    if (found.name == layer) return found.setting;
  }
  ADD_FAILURE() << "no layer " << layer;
  return {};
}

// Multiplies the samples kept to confirm, those that are asked first and the others.
void ScaleConfirmSamples(const OptimizeOptions& options, float asked_first, float kept_back, Tensor* x) {
  const auto data = OpenTensors({{"x", *x}}, kSpecs);
  ASSERT_TRUE(data.ok()) << data.status().message();
  const auto split = SplitSamples(**data, options.split, options.seed);
  ASSERT_TRUE(split.ok());
  const size_t asked = (2 * split->confirm.size() + 2) / 3;  // as Optimize has it
  for (size_t i = 0; i < split->confirm.size(); ++i) {
    const float scale = i < asked ? asked_first : kept_back;
    for (int64_t c = 0; c < kWidth; ++c) x->Data<float>()[split->confirm[i] * kWidth + c] *= scale;
  }
}

// The samples that are asked first are twenty times as large as the others, so that int8 codes, whose ranges come from
// the others, cut them off before the first product. Nothing in the samples to fit or to choose by tells.
TEST_F(OptimizeTest, AConfirmationThatFailsIsSplitAgain) {
  SCOPED_TRACE(kSeed);
  std::mt19937 random(kSeed);
  const Network network = TwoProducts(&random);
  OptimizeOptions options = Quick();
  options.budget.min_agreement = 0.98;

  Tensor x = RandomSamples(&random);
  ASSERT_NO_FATAL_FAILURE(ScaleConfirmSamples(options, 20, 1, &x));
  const auto data = OpenTensors({{"x", x}}, kSpecs);
  ASSERT_TRUE(data.ok());
  std::vector<std::string> steps;
  options.log = [&](const std::string& step) { steps.push_back(step); };
  const auto result = Optimize(network, **data, options);
  ASSERT_TRUE(result.ok()) << result.status().message();
  std::string log;
  for (const std::string& step : steps) log += step + "\n";
  if (result->confirmations == 1) GTEST_SKIP() << "int8 is not faster here, so nothing was there to fail:\n" << log;

  EXPECT_EQ(result->confirmations, 2) << log;
  EXPECT_TRUE(result->holds) << log;
  EXPECT_GE(result->confirm.agreement, 0.98);
  EXPECT_NE(log.find("does not hold"), std::string::npos) << log;
  // The samples that failed have joined those to choose by.
  EXPECT_GT(result->choose_samples, OptimizeSplit(kSamples).choose);
  EXPECT_GE(result->choose.agreement, 0.98);
  // The layer that reads the inputs pays; the other may keep its codes.
  EXPECT_FALSE(SettingOf(*result, "w0").IsInt8()) << log;
  EXPECT_TRUE(result->engine->provenance.values.empty() || SettingOf(*result, "w1").IsInt8());
}

// The samples asked first cut off the first product's codes, those kept back are lost below the second one's smallest
// code. Float arithmetic minds neither, so what is left is bf16, where that is faster, and not f32.
TEST_F(OptimizeTest, WhatOnlyRoundsIsLeftWhereNothingElseIsConfirmed) {
  SCOPED_TRACE(kSeed);
  std::mt19937 random(kSeed);
  const Network network = TwoProducts(&random);
  OptimizeOptions options = Quick();
  options.budget.min_agreement = 0.98;
  Tensor x = RandomSamples(&random);
  ASSERT_NO_FATAL_FAILURE(ScaleConfirmSamples(options, 20, 1e-3F, &x));
  const auto data = OpenTensors({{"x", x}}, kSpecs);
  ASSERT_TRUE(data.ok());
  std::string log;
  options.log = [&](const std::string& step) { log += step + "\n"; };
  const auto result = Optimize(network, **data, options);
  ASSERT_TRUE(result.ok()) << result.status().message();
  if (result->confirmations < 3) GTEST_SKIP() << "int8 was not chosen twice, so nothing was refused twice:\n" << log;
  EXPECT_TRUE(result->holds) << log;
  for (const OptimizedLayer& layer : result->layers) EXPECT_FALSE(layer.setting.IsInt8()) << log;
  const OptimizeTrial& chosen = result->trials[static_cast<size_t>(result->chosen)];
  for (const OptimizeTrial& trial : result->trials) {
    if (CountBFloat16(trial.assignment) != 2 || trial.relative > kClearlyFaster || !trial.holds) continue;
    EXPECT_EQ(CountBFloat16(chosen.assignment), 2) << log;
    EXPECT_NE(result->notices.back().find("bf16"), std::string::npos) << result->notices.back();
  }
}

// Samples of the network's input with one value everywhere.
std::shared_ptr<const DataSource> ConstantSamples(int64_t samples) {
  Tensor x(DType::kFloat32, {samples, kWidth});
  for (float& value : x.Span<float>()) value = 0.5F;
  auto data = OpenTensors({{"x", x}}, kSpecs);
  EXPECT_TRUE(data.ok());
  return std::move(data).value();
}

// No uniform setting that was measured and holds is clearly faster than what was chosen, and drops are also known of
// mixtures of the samples.
TEST_F(OptimizeTest, NoUniformSettingThatHoldsIsFaster) {
  SCOPED_TRACE(kSeed);
  std::mt19937 random(kSeed);
  const Network network = TwoProducts(&random);
  Tensor x = RandomSamples(&random);
  const auto data = OpenTensors({{"x", x}}, kSpecs);
  ASSERT_TRUE(data.ok());
  OptimizeOptions options = Quick();
  options.budget.max_drop = 30;
  const auto result = Optimize(network, **data, options);
  ASSERT_TRUE(result.ok()) << result.status().message();
  ASSERT_TRUE(result->holds);
  const OptimizeTrial& chosen = result->trials[static_cast<size_t>(result->chosen)];
  ASSERT_GT(chosen.measured_seconds, 0);
  int uniform = 0;
  for (const OptimizeTrial& trial : result->trials) {
    EXPECT_TRUE(trial.quality.mixed) << trial.label;
    if (!trial.uniform || trial.measured_seconds <= 0) continue;
    ++uniform;
    if (trial.holds && trial.in_order) {
      EXPECT_GE(trial.measured_seconds, 0.98 * chosen.measured_seconds) << trial.label;
    }
  }
  EXPECT_GE(uniform, 1);
  ASSERT_GE(result->best_uniform, 0);
  EXPECT_TRUE(result->trials[static_cast<size_t>(result->best_uniform)].uniform);
}

TEST_F(OptimizeTest, AnInterruptKeepsTheCostsThatWereMeasured) {
  std::mt19937 random(kSeed);
  const Network network = TwoProducts(&random);
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "tamis_interrupted";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  if (std::filesystem::exists(Timings())) std::filesystem::copy_file(Timings(), folder / "timings.tsv");
  const std::string path = SensitivityCache::PathBeside((folder / "timings.tsv").string());
  const auto lines = [&] {
    std::ifstream file(path);
    return std::count(std::istreambuf_iterator<char>(file), {}, '\n');
  };
  OptimizeOptions options;
  options.budget.min_agreement = 0.9;
  options.build.threads = 1;
  options.build.cache_path = (folder / "timings.tsv").string();
  options.build.profiles = {{{"x", {{1, kWidth}, {64, kWidth}, {64, kWidth}}}}};
  options.prune.method = PruneOptions::Method::kMagnitude;
  bool asked = false;
  options.cancelled = [&] {
    asked = asked || lines() > 1;  // the first line is no cost
    return asked;
  };
  const auto result = Optimize(network, *ConstantSamples(64), options);
  if (result.ok()) GTEST_SKIP() << "nothing is faster than f32 here, so no cost was measured";
  EXPECT_NE(result.status().message().find("interrupted"), std::string::npos) << result.status().message();
  EXPECT_GT(lines(), 1);
  std::filesystem::remove_all(folder);
}

// Embeddings of unit length have no top-1 that could drop.
TEST_F(OptimizeTest, RowsOfOneLengthAreNoScores) {
  std::mt19937 random(kSeed);
  Network network = TwoProducts(&random);
  Node node;
  node.op = "LpNormalization";
  node.inputs = {network.graph.outputs[0]};
  const ValueId unit = network.graph.AddValue("unit");
  node.outputs = {unit};
  network.graph.AddNode(std::move(node));
  network.graph.outputs[0] = unit;
  ASSERT_TRUE(InferShapes(network.graph).ok());
  OptimizeOptions options = Quick();
  options.budget.max_drop = 1.5;
  const auto data = OpenTensors({{"x", RandomSamples(&random)}}, kSpecs);
  ASSERT_TRUE(data.ok());
  const auto result = Optimize(network, **data, options);
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.status().message().find("give --min-agreement"), std::string::npos) << result.status().message();
}

TEST_F(OptimizeTest, ItEndsWhenItIsAskedTo) {
  std::mt19937 random(kSeed);
  const Network network = TwoProducts(&random);
  OptimizeOptions options;
  options.budget.min_agreement = 0.9;
  options.build.threads = 1;
  options.cancelled = [] { return true; };
  const auto result = Optimize(network, *ConstantSamples(64), options);
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.status().message().find("interrupted"), std::string::npos) << result.status().message();
}

TEST_F(OptimizeTest, ChannelsMayBePermutedFirst) {
  SCOPED_TRACE(kSeed);
  std::mt19937 random(kSeed);
  const Network network = TwoProducts(&random);
  OptimizeOptions options = Quick();
  options.budget.min_agreement = 0.5;
  options.permute = true;
  const auto data = OpenTensors({{"x", RandomSamples(&random)}}, kSpecs);
  ASSERT_TRUE(data.ok());
  const auto result = Optimize(network, **data, options);
  ASSERT_TRUE(result.ok()) << result.status().message();
  ASSERT_TRUE(result->permuted);
  ASSERT_EQ(result->permuted->classes.size(), 1U);  // what the second product reads
  EXPECT_EQ(result->permuted->Moved(), 1);
  EXPECT_LE(result->permuted->error, result->permuted->bound);
  EXPECT_GT(result->permuted->classes[0].kept_after, result->permuted->classes[0].kept_before);
  EXPECT_TRUE(result->holds);
}

TEST(OptimizeSplitTest, MoreSamplesBuyCertaintyNotFits) {
  const SplitSizes usual = OptimizeSplit(0), many = OptimizeSplit(4096);
  EXPECT_EQ(usual.fit, 288);
  EXPECT_EQ(usual.choose, 96);
  EXPECT_EQ(usual.confirm, 128);
  EXPECT_EQ(many.fit, 512);
  EXPECT_EQ(many.choose, 1536);
  EXPECT_EQ(many.confirm, 2048);
}

}  // namespace
}  // namespace tamis
