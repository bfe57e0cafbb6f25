#include "src/passes/reinference.h"

#include <gtest/gtest.h>

#include "src/ops/op_def.h"
#include "src/passes/pass.h"
#include "src/passes/test_graph.h"

namespace tamis {
namespace {

using Ints = std::vector<int64_t>;

// Convolutions with batch norms; then rows whose shape the graph computes from its input's, and a layer norm's parts.
Graph Mixed() {
  TestGraph t;
  const Dim n = Dim::Symbol("n");
  ValueId x = t.Input("x", {n, 4, 6, 6});
  for (int64_t in : {4, 8}) {
    x = t.Op("Conv", {x, t.Weight({8, in, 3, 3})}, {{"pads", Ints{1, 1, 1, 1}}});
    x = t.Op("BatchNormalization", {x, t.Weight({8}), t.Weight({8}), t.Weight({8}), t.Weight({8}, 0.5f, 2)});
    x = t.Op("Relu", {x});
  }
  x = t.Op("Transpose", {x}, {{"perm", Ints{0, 2, 3, 1}}});
  const ValueId batch = t.Op("Gather", {t.Op("Shape", {x}), t.Ints({0})});
  x = t.Op("Reshape", {x, t.Op("Concat", {batch, t.Ints({36}), t.Ints({8})}, {{"axis", int64_t{0}}})});
  const ValueId mean = t.Op("ReduceMean", {x}, {{"axes", Ints{-1}}});
  const ValueId centred = t.Op("Sub", {x, mean});
  const ValueId square = t.Op("Pow", {centred, t.Scalar(2)});
  const ValueId variance = t.Op("Add", {t.Op("ReduceMean", {square}, {{"axes", Ints{-1}}}), t.Scalar(1e-5f)});
  x = t.Op("Mul", {t.Op("Div", {centred, t.Op("Sqrt", {variance})}), t.Weight({8})});
  x = t.Op("Add", {t.Op("MatMul", {x, t.Weight({8, 5})}), t.Weight({5})});
  t.Output(t.Op("Identity", {x}));
  return std::move(t.graph);
}

void ExpectInferred(const Graph& graph, const std::string& when) {
  Graph whole = graph.Clone();
  const Status status = InferShapes(whole);
  ASSERT_TRUE(status.ok()) << when << ": " << status.message();
  for (size_t i = 0; i < graph.NumValues(); ++i) {
    const Value& part = graph.value(static_cast<ValueId>(i));
    const Value& all = whole.value(static_cast<ValueId>(i));
    EXPECT_EQ(part.type.ToString(), all.type.ToString()) << when << ", value " << part.name;
    EXPECT_TRUE(part.contents == all.contents) << when << ", value " << part.name;
  }
}

TEST(Reinference, AfterEveryPassItFindsWhatAllOfInferenceFinds) {
  for (const DType precision : {DType::kFloat32, DType::kBFloat16}) {
    Graph graph = Mixed();
    auto state = InferredState::Infer(graph);
    ASSERT_TRUE(state.ok()) << state.status().message();
    PassOptions options;
    options.precision = precision;
    std::vector<Pass> passes = SimplifyPasses();
    for (const Pass& pass : FusePasses()) passes.push_back(pass);
    int changes = 0;
    for (const Pass& pass : passes) {
      ASSERT_TRUE(pass.run(graph, options).ok()) << pass.name;
      ASSERT_TRUE(graph.Sort().ok()) << pass.name;
      const auto changed = state->Update(graph);
      ASSERT_TRUE(changed.ok()) << pass.name << ": " << changed.status().message();
      changes += *changed ? 1 : 0;
      ExpectInferred(graph, "after " + std::string(pass.name));
      const auto again = state->Update(graph);
      EXPECT_TRUE(again.ok() && !*again) << pass.name;
    }
    EXPECT_GE(changes, 6);
    EXPECT_LT(changes, static_cast<int>(passes.size()));
  }
}

TEST(Reinference, SeesChangesInPlace) {
  Graph graph = Mixed();
  auto state = InferredState::Infer(graph);
  ASSERT_TRUE(state.ok());
  const auto updated = [&] {
    const auto changed = state->Update(graph);
    EXPECT_TRUE(changed.ok()) << changed.status().message();
    return changed.ok() && *changed;
  };
  EXPECT_FALSE(updated());
  Node& conv = graph.node(0);
  Value& weight = graph.value(conv.inputs[1]);
  weight.constant = weight.constant->Clone();
  EXPECT_TRUE(updated()) << "other elements";
  conv.attributes["group"] = int64_t{1};
  EXPECT_TRUE(updated()) << "an attribute";
  graph.node(2).op = "Sigmoid";
  EXPECT_TRUE(updated()) << "an operator";
}

// One row in place of two: what follows from it has other shapes all the way down, through nodes that stay as they are.
TEST(Reinference, ChangesReachWhatReadsThem) {
  TestGraph t;
  const ValueId x = t.Input("x", {2, 6});
  const ValueId shape = t.Ints({4, 3});
  const ValueId rows = t.Op("Reshape", {x, shape});
  t.Output(t.Op("Relu", {t.Op("Transpose", {rows})}));
  Graph graph = std::move(t.graph);
  auto state = InferredState::Infer(graph);
  ASSERT_TRUE(state.ok());
  graph.value(shape).constant = Tensor::Int64s(Ints{6, 2});
  graph.value(rows).type = Type{};  // a rewrite that changes a shape makes its value anew
  for (NodeId id : graph.NodeIds()) graph.value(graph.node(id).outputs[0]).type.has_rank = false;
  const auto changed = state->Update(graph);
  ASSERT_TRUE(changed.ok()) << changed.status().message();
  EXPECT_TRUE(*changed);
  EXPECT_EQ(graph.value(graph.outputs[0]).type.ToString(), "float32[2, 6]");
}

}  // namespace
}  // namespace tamis
