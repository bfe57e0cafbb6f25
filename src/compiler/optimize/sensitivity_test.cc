#include "src/compiler/optimize/sensitivity.h"

#include <gtest/gtest.h>

#include "src/compiler/prune/prune_rows.h"
#include "src/compiler/prune/prune_test_graphs.h"

namespace tamis {
namespace {

TEST(PruneRowsTest, RowsTimesWeightAreTheConvolution) {
  std::mt19937 random(41);
  for (const int64_t group : {1, 2}) {
    const Tensor x = RandomTensor({2, 9, 7, 8}, random), weight = RandomTensor({6, 3, 2, 8 / group}, random);
    Node node;
    node.op = "ChannelsLastConv";
    node.domain = std::string(kTamisDomain);
    node.inputs = {0, 1};
    node.outputs = {2};
    node.attributes = {{"strides", std::vector<int64_t>{2, 1}},
                       {"pads", std::vector<int64_t>{1, 0, 2, 1}},
                       {"dilations", std::vector<int64_t>{1, 3}},
                       {"group", group}};
    const Tensor* inputs[] = {&x, &weight};
    const auto y = EvaluateNode(node, 1, inputs);
    ASSERT_TRUE(y.ok()) << y.status().message();
    const int64_t count = CountPositions(node, x, weight), outputs = 6 / group, k = 3 * 2 * 8 / group;
    ASSERT_EQ(count * 6, (*y)[0].NumElements());
    Positions positions = {0, 5, count / 2, count - 1};
    for (int i = 0; i < 200; ++i) positions.push_back(i * 7 % count);  // enough for several threads
    ThreadPool pool(2);
    std::vector<float> rows(100, 7.0F);  // what lay there before must not be seen
    for (int64_t g = 0; g < group; ++g) {
      GatherRows(node, x, weight, g, positions, pool, &rows);
      for (size_t i = 0; i < positions.size(); ++i) {
        for (int64_t o = g * outputs; o < (g + 1) * outputs; ++o) {
          double sum = 0, magnitude = 0;
          for (int64_t j = 0; j < k; ++j) {
            const double term = static_cast<double>(rows[i * static_cast<size_t>(k) + static_cast<size_t>(j)]) *
                                weight.Data<float>()[o * k + j];
            sum += term;
            magnitude += std::fabs(term);
          }
          const double epsilon = std::numeric_limits<float>::epsilon() * magnitude;
          EXPECT_NEAR((*y)[0].Data<float>()[positions[i] * 6 + o], sum, epsilon) << positions[i] << " " << o;
        }
      }
    }
  }
}

TEST(SensitivityTest, MeasuresEachLayerAlone) {
  std::mt19937 random(43);
  GraphPair network;
  network.Input("x", DType::kFloat32, {Dim::Symbol("n"), Dim(32)});
  AddDense(network, "x", "first", RandomTensor({32, 32}, random, 0.2F), true, random);
  // Adds a hundredth of what the first gives.
  AddDense(network, "x", "side", RandomTensor({32, 32}, random, 0.002F), true, random);
  for (Graph* graph : {&network.simplified, &network.fused}) {
    Append(*graph, "Add", "", {"first", "side"}, "y");
    graph->outputs = {ValueNamed(*graph, "y")};
  }
  ASSERT_TRUE(InferShapes(network.fused).ok());
  const std::vector<NamedTensors> fit = {{{"x", RandomTensor({300, 32}, random)}}};
  const std::vector<NamedTensors> choose = {{{"x", RandomTensor({20, 32}, random)}},
                                            {{"x", RandomTensor({20, 32}, random)}}};
  const auto pool = std::make_shared<ThreadPool>(2);
  const auto found = MeasureSensitivityFused(network.simplified, network.fused, fit, choose, {}, pool);
  ASSERT_TRUE(found.ok()) << found.status().message();
  ASSERT_EQ(found->size(), 2U);
  EXPECT_EQ((*found)[0].name, "first.weight");
  EXPECT_GT((*found)[0].cosine_loss, 100 * (*found)[1].cosine_loss);
  EXPECT_GT((*found)[1].relative_error, 0);

  // The figure is that of really pruning this layer and no other.
  for (size_t i = 0; i < 2; ++i) {
    GraphPair pruned;
    pruned.simplified = network.simplified.Clone();
    pruned.fused = network.fused.Clone();
    PruneOptions options;
    options.keep = {(*found)[1 - i].name};
    ASSERT_TRUE(PruneFused(pruned.simplified, pruned.fused, fit, options, pool).ok());
    double error = 0, norm = 0;
    for (const NamedTensors& batch : choose) {
      const auto a = Evaluate(pruned.fused, batch), b = Evaluate(network.fused, batch);
      ASSERT_TRUE(a.ok() && b.ok());
      for (int64_t j = 0; j < b->at("y").NumElements(); ++j) {
        error += std::pow(a->at("y").Data<float>()[j] - b->at("y").Data<float>()[j], 2);
        norm += std::pow(b->at("y").Data<float>()[j], 2);
      }
    }
    EXPECT_NEAR((*found)[i].relative_error, error / norm, 1e-3 * error / norm + 1e-9) << i;
  }
  PruneOptions options;
  options.keep = {"first.weight"};
  EXPECT_EQ(MeasureSensitivityFused(network.simplified, network.fused, fit, choose, options, pool)->size(), 1U);
  EXPECT_FALSE(MeasureSensitivityFused(network.simplified, network.fused, fit, {}, {}, pool).ok());
}

}  // namespace
}  // namespace tamis
