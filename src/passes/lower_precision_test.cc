#include "src/passes/test_graph.h"

namespace tamis {
namespace {

const std::vector<Pass> kPasses = {{"make_linear", MakeLinear},
                                   {"make_channels_last", MakeChannelsLast},
                                   {"simplify_views", SimplifyViews},
                                   {"fuse_epilogue", FuseEpilogue},
                                   {"lower_precision", LowerPrecision}};
const PassOptions kBf16 = {.precision = DType::kBFloat16, .skip = {}};
constexpr double kTolerance = 0.03;  // a few roundings of 2^-9 each, through two products

TEST(LowerPrecision, OnlyBoundariesAreCast) {
  TestGraph t;
  const ValueId x = t.Input("x", {Dim::Symbol("n"), 16});
  ValueId y = t.Op("Relu", {t.Op("Add", {t.Op("MatMul", {x, t.Weight({16, 8})}), t.Weight({8})})});
  y = t.Op("LayerNormalization", {y, t.Weight({8}), t.Weight({8})});
  y = t.Op("Add", {t.Op("MatMul", {y, t.Weight({8, 8})}), y});
  t.Output(t.Op("MatMul", {y, t.Weight({8, 4})}));
  const Graph after = RewriteAndCompare(t.graph, kPasses, {{"x", RandomTensor({3, 16}, 1)}}, kTolerance, kBf16);
  EXPECT_EQ(CountOps(after), (std::map<std::string, int>{{"tamis.Linear", 3}, {"LayerNormalization", 1}, {"Cast", 1}}));
  for (NodeId id : after.NodeIds()) {
    const Node& node = after.node(id);
    if (!node.IsTamis("Linear")) continue;
    EXPECT_EQ(after.value(node.inputs[0]).type.dtype, DType::kBFloat16);
    const Value& weight = after.value(node.inputs[1]);
    EXPECT_EQ(weight.constant->dtype(), DType::kBFloat16);
    EXPECT_EQ(weight.origin->transform, WeightTransform::kTransposed2D);
    if (node.input(2) != kNoValue) {
      EXPECT_EQ(after.value(node.inputs[2]).type.dtype, DType::kFloat32);
    }
  }
  EXPECT_EQ(after.value(after.outputs[0]).type.dtype, DType::kFloat32);
}

TEST(LowerPrecision, OnlyTheNodesThatAreNamedTurnLow) {
  TestGraph t;
  const ValueId x = t.Input("x", {Dim::Symbol("n"), 16});
  const ValueId first = t.Op("MatMul", {x, t.Weight({16, 8})});
  const ValueId second = t.Op("MatMul", {first, t.Weight({8, 8})});
  t.Output(t.Op("MatMul", {second, t.Weight({8, 4})}));
  const std::set<std::string> low = {t.graph.value(second).name};
  PassOptions options = kBf16;
  options.low_nodes = &low;
  const Graph after = RewriteAndCompare(t.graph, kPasses, {{"x", RandomTensor({3, 16}, 1)}}, kTolerance, options);
  std::vector<DType> weights;
  for (NodeId id : after.NodeIds()) {
    if (after.node(id).IsTamis("Linear")) weights.push_back(after.value(after.node(id).inputs[1]).type.dtype);
  }
  EXPECT_EQ(weights, (std::vector<DType>{DType::kFloat32, DType::kBFloat16, DType::kFloat32})) << after.ToString();
  // It reads its own Cast and writes float32 itself.
  EXPECT_EQ(CountOps(after)["Cast"], 1);
}

TEST(LowerPrecision, Float16LeavesOutWeightsBeyondItsRange) {
  TestGraph t;
  const ValueId x = t.Input("x", {Dim::Symbol("n"), 16});
  const ValueId y = t.Op("MatMul", {x, t.Weight({16, 8})});
  t.Output(t.Op("MatMul", {y, t.Weight({8, 4}, -1e5f, 1e5f)}));
  const PassOptions half = {.precision = DType::kFloat16, .skip = {}};
  const Graph after = RewriteAndCompare(t.graph, kPasses, {{"x", RandomTensor({3, 16}, 1)}}, kTolerance, half);
  std::vector<DType> weights;
  for (NodeId id : after.NodeIds()) {
    if (after.node(id).IsTamis("Linear")) weights.push_back(after.value(after.node(id).inputs[1]).type.dtype);
  }
  EXPECT_EQ(weights, (std::vector<DType>{DType::kFloat16, DType::kFloat32})) << after.ToString();
}

TEST(LowerPrecision, AnOutputThatIsReadAgainStaysFloat32) {
  TestGraph t;
  const ValueId x = t.Input("x", {3, 16});
  const ValueId y = t.Op("MatMul", {x, t.Weight({16, 8})});
  t.Output(y);
  t.Output(t.Op("MatMul", {y, t.Weight({8, 4})}));
  t.Output(t.Op("Softmax", {y}));
  const Graph after = RewriteAndCompare(t.graph, kPasses, {{"x", RandomTensor({3, 16}, 2)}}, kTolerance, kBf16);
  EXPECT_EQ(CountOps(after)["tamis.Linear"], 2);
  for (ValueId output : after.outputs) EXPECT_EQ(after.value(output).type.dtype, DType::kFloat32);
}

TEST(LowerPrecision, Convolutions) {
  TestGraph t;
  const ValueId x = t.Input("x", {Dim::Symbol("n"), 3, 8, 8});
  ValueId y = t.Op("Relu", {t.Op("Conv", {x, t.Weight({4, 3, 3, 3}), t.Weight({4})})});
  y = t.Op("MaxPool", {y}, {{"kernel_shape", std::vector<int64_t>{2, 2}}});
  y = t.Op("Flatten", {t.Op("GlobalAveragePool", {t.Op("Conv", {y, t.Weight({6, 4, 3, 3})})})});
  t.Output(t.Op("Softmax", {t.Op("Gemm", {y, t.Weight({6, 5}), t.Weight({5})})}));
  const Graph after = RewriteAndCompare(t.graph, kPasses, {{"x", RandomTensor({2, 3, 8, 8}, 3)}}, kTolerance, kBf16);
  auto counts = CountOps(after);
  EXPECT_EQ(counts["Cast"], 1);
  EXPECT_EQ(counts["tamis.ChannelsLastConv"], 2);
}

// Squeeze and excitation: the convolutions are bf16, the gate is computed in float32.
// What a Resize makes larger is moved in two bytes; its scales stay float32.
TEST(LowerPrecision, ResizesBetweenConvolutions) {
  TestGraph t;
  const ValueId x = t.Input("x", {1, 3, 8, 8});
  const ValueId scales = t.graph.AddConstant("scales", Tensor(DType::kFloat32, {4}));
  const float values[] = {1, 1, 2, 2};
  std::copy_n(values, 4, t.graph.value(scales).constant->Data<float>());
  const ValueId small = t.Op("Conv", {x, t.Weight({8, 3, 3, 3})}, {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
  const ValueId large = t.Op("Resize", {small, kNoValue, scales}, {{"mode", std::string("linear")}});
  t.Output(t.Op("Conv", {large, t.Weight({4, 8, 3, 3})}));
  const Graph after = RewriteAndCompare(t.graph, kPasses, {{"x", RandomTensor({1, 3, 8, 8}, 1)}}, kTolerance, kBf16);
  EXPECT_EQ(CountOps(after)["Cast"], 1);
  for (NodeId id : after.NodeIds()) {
    if (!after.node(id).Is("Resize")) continue;
    EXPECT_EQ(after.value(after.node(id).outputs[0]).type.dtype, DType::kBFloat16);
    EXPECT_EQ(after.value(after.node(id).inputs[2]).type.dtype, DType::kFloat32);
  }
}

TEST(LowerPrecision, GatesOfChannelsStayFloat32) {
  TestGraph t;
  const ValueId x = t.Input("x", {Dim::Symbol("n"), 4, 6, 6});
  const ValueId y = t.Op("Conv", {x, t.Weight({8, 4, 3, 3})});
  ValueId gate = t.Op("Conv", {t.Op("GlobalAveragePool", {y}), t.Weight({4, 8, 1, 1})});
  gate = t.Op("Sigmoid", {t.Op("Conv", {t.Op("Relu", {gate}), t.Weight({8, 4, 1, 1})})});
  t.Output(t.Op("Conv", {t.Op("Mul", {y, gate}), t.Weight({4, 8, 1, 1})}));
  const Graph after = RewriteAndCompare(t.graph, kPasses, {{"x", RandomTensor({2, 4, 6, 6}, 3)}}, kTolerance, kBf16);
  std::vector<DType> weights;
  for (NodeId id : after.NodeIds()) {
    const Node& node = after.node(id);
    if (node.IsTamis("ChannelsLastConv")) weights.push_back(after.value(node.inputs[1]).type.dtype);
  }
  EXPECT_EQ(weights, (std::vector<DType>{DType::kBFloat16, DType::kFloat32, DType::kFloat32, DType::kBFloat16}));
}

TEST(LowerPrecision, NothingWithoutProductsOrInFloat32) {
  TestGraph t;
  const ValueId x = t.Input("x", {3, 8});
  t.Output(t.Op("LayerNormalization", {t.Op("Add", {x, x}), t.Weight({8}), t.Weight({8})}));
  const Feeds feeds = {{"x", RandomTensor({3, 8}, 4)}};
  EXPECT_EQ(CountOps(RewriteAndCompare(t.graph, kPasses, feeds, 0, kBf16))["Cast"], 0);
  TestGraph u;
  u.Output(u.Op("MatMul", {u.Input("x", {3, 8}), u.Weight({8, 4})}));
  EXPECT_EQ(CountOps(RewriteAndCompare(u.graph, kPasses, feeds))["Cast"], 0);
}

// A softmax and a normalisation in parts between two products: computed in float32 to their ends, each with a reason.
TEST(LowerPrecision, RangeRiskyChainsStayFloat32) {
  TestGraph t;
  const ValueId x = t.Input("x", {4, 32});
  const ValueId h = t.Op("MatMul", {x, t.Weight({32, 32})});
  const ValueId e = t.Op("Exp", {t.Op("Sub", {h, t.Op("ReduceMax", {h}, {{"axes", std::vector<int64_t>{1}}})})});
  const ValueId p = t.Op("Div", {e, t.Op("ReduceSum", {e, t.Ints({1})})});
  t.Output(t.Op("MatMul", {t.Op("Mul", {p, t.Scalar(8)}), t.Weight({32, 16})}));
  Graph fused = t.graph.Clone();
  std::vector<PassRecord> records;
  PassOptions options;
  options.precision = DType::kBFloat16;
  const Status status =
      RunPasses(fused, {{"make_linear", MakeLinear}, {"lower_precision", LowerPrecision}}, options, &records);
  ASSERT_TRUE(status.ok()) << status.message();
  for (NodeId id : fused.NodeIds()) {
    const Node& node = fused.node(id);
    const DType dtype = fused.value(node.outputs[0]).type.dtype;
    if (node.Is("Exp") || node.Is("ReduceSum") || node.Is("Div") || node.Is("Mul")) {
      EXPECT_EQ(dtype, DType::kFloat32) << node.op;
    }
  }
  std::map<std::string, std::string> reasons;
  for (const Finding& finding : records.back().findings) {
    if (finding.kind == FindingKind::kDecided) reasons[finding.what] = finding.reason;
  }
  ASSERT_FALSE(reasons.empty());
  for (const auto& [what, reason] : reasons) EXPECT_FALSE(reason.empty()) << what;
  ExpectClose(Evaluate(t.graph, {{"x", RandomTensor({4, 32}, 1)}}), Evaluate(fused, {{"x", RandomTensor({4, 32}, 1)}}),
              0.03);
}

}  // namespace
}  // namespace tamis
