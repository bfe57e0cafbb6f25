#include "src/compiler/quantize/quantize_balance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "src/compiler/prune/prune_test_graphs.h"
#include "src/compiler/quantize/quantize.h"

namespace tamis {
namespace {

constexpr uint32_t kSeed = 53;

// Statistics of a value whose channel 3 is a hundred times as large as the others.
TensorStatistics Uneven(int64_t channels) {
  TensorStatistics statistics;
  statistics.largest.assign(static_cast<size_t>(channels), 1);
  statistics.mean_squares.assign(static_cast<size_t>(channels), 0.1);
  statistics.largest[3] = 100;
  statistics.mean_squares[3] = 900;
  return statistics;
}

// x -> LayerNormalization -> "normal" -> Gemm -> Relu -> "hidden" -> MatMul; with `residual` the normalised value is
// added to the result.
Graph Network(bool residual, std::mt19937& random) {
  GraphPair pair;
  pair.Input("x", DType::kFloat32, {Dim::Symbol("n"), Dim(8)});
  Graph& graph = pair.simplified;
  Constant(graph, "scale", RandomTensor({8}, random));
  Constant(graph, "start", RandomTensor({8}, random));
  Append(graph, "LayerNormalization", "", {"x", "scale", "start"}, "normal");
  Constant(graph, "up", RandomTensor({12, 8}, random));
  Append(graph, "Gemm", "", {"normal", "up"}, "wide", {{"transB", int64_t{1}}});
  Append(graph, "Relu", "", {"wide"}, "hidden");
  Constant(graph, "down", RandomTensor({12, 8}, random));
  Append(graph, "MatMul", "", {"hidden", "down"}, "y");
  if (residual) Append(graph, "Add", "", {"normal", "y"}, "sum");
  graph.outputs = {ValueNamed(graph, residual ? "sum" : "y")};
  return graph.Clone();
}

TEST(BalanceTest, NetworksComputeWhatTheyDid) {
  for (const bool residual : {false, true}) {
    std::mt19937 random(kSeed);
    Graph graph = Network(residual, random);
    ASSERT_TRUE(InferShapes(graph).ok());
    const Tensor x = RandomTensor({5, 8}, random);
    const auto before = Evaluate(graph, {{"x", x}});
    ASSERT_TRUE(before.ok()) << before.status().message();
    const std::string output = graph.value(graph.outputs[0]).name;
    const auto node_of = [&](const std::string& value) { return graph.value(ValueNamed(graph, value)).producer; };
    const ValueId normal = ValueNamed(graph, "normal"), hidden = ValueNamed(graph, "hidden");
    const auto balanced = BalanceActivations(graph, {{normal, {node_of("wide")}}, {hidden, {node_of("y")}}},
                                             {{normal, Uneven(8)}, {hidden, Uneven(12)}});
    ASSERT_TRUE(balanced.ok()) << balanced.status().message();
    // What a product makes by way of a Relu keeps its codes in the product's store.
    ASSERT_EQ(balanced->size(), 1U);
    EXPECT_EQ(balanced->front().name, "normal");
    EXPECT_EQ(balanced->front().factors.size(), 8U);
    ASSERT_TRUE(graph.Verify().ok());
    const std::vector<NodeId> nodes = graph.NodeIds();
    const auto products =
        std::count_if(nodes.begin(), nodes.end(), [&](NodeId id) { return graph.node(id).Is("Mul"); });
    EXPECT_EQ(products, residual ? 1 : 0);
    const auto after = Evaluate(graph, {{"x", x}});
    ASSERT_TRUE(after.ok()) << after.status().message();
    const auto expected = before->at(output).Span<float>(), found = after->at(output).Span<float>();
    double largest = 0;
    for (const float y : expected) largest = std::max<double>(largest, std::fabs(y));
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-5 * largest) << i;
  }
}

TEST(BalanceTest, EvenChannelsAreLeftAlone) {
  std::mt19937 random(kSeed);
  Graph graph = Network(false, random);
  ASSERT_TRUE(InferShapes(graph).ok());
  TensorStatistics even = Uneven(8);
  even.largest[3] = 1;
  even.mean_squares[3] = 0.1;
  const ValueId normal = ValueNamed(graph, "normal");
  const auto balanced =
      BalanceActivations(graph, {{normal, {graph.value(ValueNamed(graph, "wide")).producer}}}, {{normal, even}});
  ASSERT_TRUE(balanced.ok());
  EXPECT_TRUE(balanced->empty());
}

// Two products read one activation whose channels differ in size: each of them alone, and both, give it other factors.
TEST(BalanceTest, StatisticsOfLayersAloneAreWhatQuantizeWouldCollect) {
  std::mt19937 random(kSeed);
  Graph graph = Network(false, random);
  Constant(graph, "side", RandomTensor({8, 8}, random));
  Append(graph, "MatMul", "", {"normal", "side"}, "other");
  graph.outputs.push_back(ValueNamed(graph, "other"));
  graph.value(ValueNamed(graph, "scale")).constant->Data<float>()[3] = 100;
  graph.opsets[""] = 17;
  ASSERT_TRUE(InferShapes(graph).ok());
  const std::vector<NamedTensors> batches = {{{"x", RandomTensor({32, 8}, random)}},
                                             {{"x", RandomTensor({32, 8}, random)}}};
  std::map<std::string, TensorStatistics> known;
  QuantizeOptions options;
  options.threads = 1;
  options.statistics = &known;
  Graph all = graph.Clone();
  const auto report = Quantize(all, batches, options);
  ASSERT_TRUE(report.ok()) << report.status().message();
  ASSERT_EQ(report->balanced, std::vector<std::string>{"normal"});
  const size_t of_all = known.size();
  const Status collected = CollectForLayersAlone(graph, batches, options);
  ASSERT_TRUE(collected.ok()) << collected.message();
  const size_t with_alone = known.size();
  EXPECT_EQ(with_alone, of_all + 2);

  options.keep = {"up", "down"};
  Graph by_known = graph.Clone(), by_own = graph.Clone();
  ASSERT_TRUE(Quantize(by_known, batches, options).ok());
  EXPECT_EQ(known.size(), with_alone);
  options.statistics = nullptr;
  ASSERT_TRUE(Quantize(by_own, batches, options).ok());
  const NamedTensors feeds = {{"x", batches[0].at("x")}};
  const auto expected = Evaluate(by_own, feeds), found = Evaluate(by_known, feeds);
  ASSERT_TRUE(expected.ok() && found.ok());
  const auto mine = found->at("other").Span<float>(), theirs = expected->at("other").Span<float>();
  double largest = 0;
  for (const float y : theirs) largest = std::max<double>(largest, std::fabs(y));
  // The same ranges but for the order of two roundings, so codes differ by one at most, in few places.
  for (size_t i = 0; i < theirs.size(); ++i) EXPECT_NEAR(mine[i], theirs[i], 0.02 * largest) << i;
}

}  // namespace
}  // namespace tamis
