#include "src/compiler/prune/prune_norms.h"

#include <cmath>

#include <gtest/gtest.h>

#include "src/compiler/prune/prune.h"
#include "src/compiler/prune/prune_test_graphs.h"

namespace tamis {
namespace {

constexpr uint32_t kSeed = 7;
constexpr int64_t kInputs = 32, kOutputs = 16;

// x -> Linear -> LayerNormalization over `axis`.
GraphPair NormedProduct(std::mt19937& random, int64_t axis = -1) {
  GraphPair network;
  network.Input("x", DType::kFloat32, {Dim::Symbol("n"), Dim(kInputs)});
  AddDense(network, "x", "y", RandomTensor({kInputs, kOutputs}, random, 0.2F), true, random);
  const Tensor gain = RandomTensor({kOutputs}, random);
  for (Graph* graph : {&network.simplified, &network.fused}) {
    Constant(*graph, "gain", gain);
    Append(*graph, "LayerNormalization", "", {"y", "gain"}, "normed", {{"axis", axis}, {"epsilon", 1e-6F}});
    graph->outputs = {ValueNamed(*graph, "normed")};
  }
  EXPECT_TRUE(InferShapes(network.fused).ok());
  return network;
}

NodeId Product(const Graph& graph) {
  return graph.value(ValueNamed(graph, "y")).producer;
}

TEST(PruneNorms, FindsTheNormThatReadsTheProduct) {
  std::mt19937 random(kSeed);
  const GraphPair network = NormedProduct(random);
  const std::optional<RowNorm> norm = NormBehind(network.fused, Product(network.fused));
  ASSERT_TRUE(norm.has_value());
  EXPECT_TRUE(norm->centred);
  EXPECT_FLOAT_EQ(static_cast<float>(norm->epsilon), 1e-6F);
  EXPECT_TRUE(NormBehind(NormedProduct(random, 1).fused, Product(network.fused)).has_value());
  EXPECT_FALSE(NormBehind(NormedProduct(random, 0).fused, Product(network.fused)).has_value());
  GraphPair activated = NormedProduct(random);
  activated.fused.node(Product(activated.fused)).attributes["activation"] = std::string("Relu");
  EXPECT_FALSE(NormBehind(activated.fused, Product(activated.fused)).has_value());
}

TEST(PruneNorms, SharesAreWhatTheNormDividesBy) {
  Tensor rows(DType::kFloat32, {2, 4});
  const std::array<float, 8> values = {1, -1, 1, -1, 10, 30, 10, 30};
  std::copy(values.begin(), values.end(), rows.Data<float>());
  const std::vector<float> centred = SharesBehind({true, 0.25}, rows), plain = SharesBehind({false, 0.25}, rows);
  EXPECT_FLOAT_EQ(centred[0], 1 / 1.25F);
  EXPECT_FLOAT_EQ(centred[1], 1 / 100.25F);
  EXPECT_FLOAT_EQ(plain[0], 1 / 1.25F);
  EXPECT_FLOAT_EQ(plain[1], 1 / 500.25F);
}

// One row in eight is thirty times as large and has directions of its own. Behind the norm all rows count alike, so the
// fit has to serve the seven and not the one.
TEST(PruneNorms, LargeRowsDoNotDecideTheFit) {
  std::mt19937 random(kSeed);
  const GraphPair network = NormedProduct(random);
  const auto rows = [&] {
    Tensor x = RandomTensor({64, kInputs}, random);
    for (int64_t row = 0; row < 64; row += 8) {
      for (int64_t i = 0; i < kInputs; ++i) x.Data<float>()[row * kInputs + i] *= 30;
    }
    return x;
  };
  std::vector<NamedTensors> batches, other = {{{"x", rows()}}};
  for (int i = 0; i < 8; ++i) batches.push_back({{"x", rows()}});
  const auto error_behind = [&](bool normed) {
    GraphPair fitted;
    fitted.simplified = network.simplified.Clone();
    fitted.fused = network.fused.Clone();
    Graph pruned = network.fused.Clone();
    if (!normed) {  // the same product in a network that ends with it
      for (Graph* graph : {&fitted.simplified, &fitted.fused}) {
        graph->node(graph->value(ValueNamed(*graph, "normed")).producer).op = "Identity";
        graph->node(graph->value(ValueNamed(*graph, "normed")).producer).inputs.resize(1);
      }
    }
    EXPECT_TRUE(PruneFused(fitted.simplified, fitted.fused, batches, {}, std::make_shared<ThreadPool>(2)).ok());
    for (const std::string name : {"y.weight_rows", "y.bias"}) {
      pruned.value(ValueNamed(pruned, name)).constant = fitted.fused.value(ValueNamed(fitted.fused, name)).constant;
    }
    const auto dense = Evaluate(network.fused, other[0]), sparse = Evaluate(pruned, other[0]);
    EXPECT_TRUE(dense.ok() && sparse.ok());
    double error = 0;
    for (int64_t i = 0; i < 64 * kOutputs; ++i) {
      error += std::pow(dense->at("normed").Data<float>()[i] - sparse->at("normed").Data<float>()[i], 2);
    }
    return error;
  };
  EXPECT_LT(error_behind(true), 0.95 * error_behind(false));
}

}  // namespace
}  // namespace tamis
