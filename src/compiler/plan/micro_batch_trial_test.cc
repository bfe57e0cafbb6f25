#include "src/compiler/plan/micro_batch_trial.h"

#include <gtest/gtest.h>

#include "src/compiler/plan/plan_key.h"
#include "src/ops/op_def.h"
#include "src/runtime/micro_batches.h"
#include "src/runtime/specialize.h"

namespace tamis {
namespace {

using Binding = std::map<std::string, int64_t>;

// Three products one after the other, for `rows` rows.
Graph Products(const Dim& rows = Dim::Symbol("n")) {
  Graph graph;
  graph.opsets[""] = 17;
  ValueId x = graph.AddValue("x", Type::Tensor(DType::kFloat32, {rows, 16}));
  graph.inputs = {x};
  for (const char* name : {"a", "b", "c"}) {
    Tensor weight(DType::kFloat32, {16, 16});
    for (float& w : weight.Span<float>()) w = 0.125f;
    Node node;
    node.op = "Linear";
    node.domain = std::string(kTamisDomain);
    node.inputs = {x, graph.AddConstant(std::string(name) + ".weight", std::move(weight))};
    node.outputs = {graph.AddValue(name)};
    node.attributes["output_dtype"] = static_cast<int64_t>(DType::kFloat32);
    const NodeId id = graph.AddNode(std::move(node));
    const Status status = InferNode(graph, id);
    EXPECT_TRUE(status.ok()) << status.message();
    x = graph.node(id).outputs[0];
  }
  graph.outputs = {x};
  return graph;
}

PlanPoint Point(Binding binding, const std::string& kernel, double seconds) {
  PlanPoint point;
  point.binding = std::move(binding);
  for (const char* name : {"a", "b", "c"}) point.nodes.push_back({name, kernel, seconds, {{kernel, seconds, ""}}});
  return point;
}

PartPlan Part(const Graph& whole, const std::string& kernel, double seconds) {
  return {PartOfNetwork(whole, EntriesTogether(whole, 1)).value(), Point({}, kernel, seconds)};
}

TEST(MicroBatchTrial, TakesThePartsChoicesBeforeTheCut) {
  const Graph graph = Products();
  const Graph whole = SpecializeAt(graph, {{"n", 8}}).value();
  const PartPlan part = Part(whole, "gemm_reference", 1e-6);
  PlanPoint point = Point({{"n", 8}}, "gemm_f32_avx512", 12e-6);
  point.blocks = {{{"a", "b"}, {"gemm_f32_avx512", "gemm_f32_avx512"}, 20e-6, 24e-6}};
  Tuner tuner({});
  // As a build before would have found it: the first cut, behind b.
  const auto of_whole = DescribePlan(whole, point, 1), of_part = DescribePlan(part.graph, part.point, 1);
  ASSERT_TRUE(of_whole.ok() && of_part.ok());
  tuner.RecordCut(of_whole->key + of_part->key + "-micro", of_whole->problems.begin()->second, 1);
  const auto begin = [] { ADD_FAILURE() << "measures what is known"; };
  const auto verdict = ChooseMicroBatches(graph, tuner, 1, part, &point, begin);
  ASSERT_TRUE(verdict.ok()) << verdict.status().message();
  EXPECT_TRUE(verdict->measured && verdict->chosen);
  EXPECT_EQ(verdict->last, "b");
  EXPECT_EQ(point.micro_batches.entries, 1);
  EXPECT_EQ(point.micro_batches.results, std::vector<std::string>{"b"});
  ASSERT_EQ(point.nodes.size(), 3u);
  EXPECT_EQ(point.nodes[0].kernel, "gemm_reference");
  EXPECT_DOUBLE_EQ(point.nodes[0].seconds, 8e-6);
  EXPECT_DOUBLE_EQ(point.nodes[0].candidates[0].seconds, 8e-6);
  EXPECT_EQ(point.nodes[2].kernel, "gemm_f32_avx512");
  EXPECT_TRUE(point.blocks.empty());
  EXPECT_NEAR(point.Seconds(), 28e-6, 1e-12);
}

// Also where the batch is a number in the file.
TEST(MicroBatchTrial, MeasuresOnceAndKeepsWhatItFound) {
  for (const bool fixed : {false, true}) {
    const Graph graph = fixed ? Products(8) : Products();
    const Binding binding = fixed ? Binding() : Binding{{"n", 8}};
    const PartPlan part = Part(SpecializeAt(graph, binding).value(), "", 0);
    Tuner tuner({});
    int measurements = 0;
    const auto choose = [&] {
      PlanPoint point = Point(binding, "", 0);
      const auto verdict = ChooseMicroBatches(graph, tuner, 1, part, &point, [&] { ++measurements; });
      EXPECT_TRUE(verdict.ok() && verdict->measured);
      return std::pair(verdict->chosen, point.micro_batches.results);
    };
    const auto first = choose(), second = choose();
    EXPECT_EQ(measurements, 1);
    EXPECT_EQ(first, second);
  }
}

}  // namespace
}  // namespace tamis
