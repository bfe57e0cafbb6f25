#include "src/compiler/optimize/optimize_times.h"

#include <gtest/gtest.h>

#include <random>

#include "src/compiler/prune/prune_test_graphs.h"

namespace tamis {
namespace {

constexpr int64_t kWidth = 64;

Graph TwoDenseLayers() {
  std::mt19937 random(7);
  GraphPair network;
  network.Input("x", DType::kFloat32, {Dim::Symbol("n"), Dim(kWidth)});
  AddDense(network, "x", "a", RandomTensor({kWidth, kWidth}, random), true, random);
  AddRelu(network, "a", "b");
  AddDense(network, "b", "c", RandomTensor({kWidth, kWidth}, random), false, random);
  network.simplified.outputs = {ValueNamed(network.simplified, "c")};
  EXPECT_TRUE(InferShapes(network.simplified).ok());
  return std::move(network.simplified);
}

// Batches of 1 and of 8.
BuildOptions Options() {
  BuildOptions options;
  options.threads = 1;
  for (const int64_t batch : {1, 8}) {
    options.profiles.push_back({{"x", {{batch, kWidth}, {batch, kWidth}, {batch, kWidth}}}});
  }
  return options;
}

Result<WholeRun> BesideItself(const Graph& dense) {
  TAMIS_ASSIGN_OR_RETURN(const auto timer, NetworkTimer::Make(dense, Options()));
  TAMIS_ASSIGN_OR_RETURN(const auto timed, timer->Time(dense));
  return timer->RunBesideDense(timed, 0.01);
}

// Only that there are times, and of what: how long they are is no test's business.
TEST(RunBesideDense, TellsWhatEveryLayerTakesInItsPlace) {
  const Graph dense = TwoDenseLayers();
  const auto whole = BesideItself(dense);
  ASSERT_TRUE(whole.ok()) << whole.status().message();
  EXPECT_GT(whole->relative, 0);
  std::vector<std::string> layers;
  for (const auto& [weight, layer] : whole->layers) {
    layers.push_back(weight);
    EXPECT_GT(layer.share, 0) << weight;
    EXPECT_GT(layer.seconds, 0) << weight;
  }
  EXPECT_EQ(layers, (std::vector<std::string>{"a.weight", "c.weight"}));
}

// Shapes that depend on data: no program runs it whole, and nothing is made up instead.
TEST(RunBesideDense, IsEmptyForWhatRunsNodeByNode) {
  Graph dense = TwoDenseLayers();
  Append(dense, "NonZero", "", {"c"}, "places");
  dense.outputs = {ValueNamed(dense, "places")};
  ASSERT_TRUE(InferShapes(dense).ok());
  const auto whole = BesideItself(dense);
  ASSERT_TRUE(whole.ok()) << whole.status().message();
  EXPECT_EQ(whole->relative, 0);
  EXPECT_TRUE(whole->layers.empty());
}

}  // namespace
}  // namespace tamis
