#include "src/ir/widen.h"

#include <gtest/gtest.h>

#include "src/ops/op_def.h"

namespace tamis {
namespace {

constexpr auto kF16 = static_cast<int64_t>(DType::kFloat16);

ValueId Add(Graph& graph, const std::string& op, std::string_view domain, std::vector<ValueId> inputs, const char* name,
            std::map<std::string, Attribute> attributes = {}) {
  Node node;
  node.op = op;
  node.domain = domain;
  node.inputs = std::move(inputs);
  node.outputs = {graph.AddValue(name)};
  node.attributes = std::move(attributes);
  const NodeId id = graph.AddNode(std::move(node));
  const Status status = InferNode(graph, id);
  EXPECT_TRUE(status.ok()) << status.message();
  return graph.node(id).outputs[0];
}

TEST(Widen, LeavesNoHalfPrecisionInside) {
  Graph graph;
  graph.opsets[""] = 17;
  const ValueId x = graph.AddValue("x", Type::Tensor(DType::kFloat32, {4, 8}));
  graph.inputs = {x};
  constexpr auto kBf16 = static_cast<int64_t>(DType::kBFloat16);
  const ValueId narrow = Add(graph, "Cast", "", {x}, "narrow", {{"to", kBf16}});
  const ValueId weight = graph.AddConstant("w", Tensor(DType::kBFloat16, {6, 8}));
  const ValueId y = Add(graph, "Linear", kTamisDomain, {narrow, weight}, "y",
                        {{"output_dtype", static_cast<int64_t>(DType::kFloat32)}});
  graph.outputs = {y};
  EXPECT_TRUE(Widen(graph, DType::kBFloat16));
  EXPECT_EQ(graph.NumNodes(), 1u) << graph.ToString();
  EXPECT_EQ(graph.ToString().find("bfloat16"), std::string::npos) << graph.ToString();
  EXPECT_FALSE(Widen(graph, DType::kBFloat16));
}

TEST(Widen, InputsAndOutputsKeepTheirTypes) {
  Graph graph;
  graph.opsets[""] = 21;
  const ValueId x = graph.AddValue("x", Type::Tensor(DType::kFloat16, {4, 8}));
  graph.inputs = {x};
  const ValueId one = graph.AddConstant("one", Tensor(DType::kFloat16, {8}));
  const ValueId sum = Add(graph, "Add", "", {x, one}, "sum");
  const ValueId y = Add(graph, "Relu", "", {sum}, "y");
  const ValueId wide = Add(graph, "Cast", "", {y}, "wide", {{"to", static_cast<int64_t>(DType::kFloat32)}});
  graph.outputs = {y, wide, sum, one};
  ASSERT_TRUE(Widen(graph, DType::kFloat16));
  EXPECT_TRUE(graph.Verify().ok()) << graph.Verify().message();
  const auto type = [&](ValueId id) { return graph.value(id).type.dtype; };
  EXPECT_EQ(graph.value(graph.inputs[0]).name, "x");
  EXPECT_EQ(type(graph.inputs[0]), DType::kFloat16);
  const std::pair<const char*, DType> wanted[] = {
      {"y", DType::kFloat16}, {"wide", DType::kFloat32}, {"sum", DType::kFloat16}, {"one", DType::kFloat16}};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(graph.value(graph.outputs[i]).name, wanted[i].first);
    EXPECT_EQ(type(graph.outputs[i]), wanted[i].second);
  }
  for (NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    if (node.Is("Cast")) continue;
    EXPECT_EQ(type(node.outputs[0]), DType::kFloat32) << node.op;
    for (ValueId input : node.inputs) EXPECT_EQ(type(input), DType::kFloat32) << node.op;
  }
  EXPECT_FALSE(Widen(graph, DType::kBFloat16));
}

TEST(Widen, WhatDependsOnTheBitsKeepsItsTypes) {
  Graph graph;
  graph.opsets[""] = 26;
  const ValueId x = graph.AddValue("x", Type::Tensor(DType::kFloat32, {4}));
  graph.inputs = {x};
  const ValueId half = Add(graph, "Cast", "", {x}, "half", {{"to", kF16}});
  const ValueId bits = Add(graph, "BitCast", "", {half}, "bits", {{"to", static_cast<int64_t>(DType::kInt16)}});
  const ValueId back = Add(graph, "BitCast", "", {bits}, "back", {{"to", kF16}});
  graph.outputs = {bits, Add(graph, "Relu", "", {back}, "y")};
  ASSERT_TRUE(Widen(graph, DType::kFloat16));
  EXPECT_TRUE(graph.Verify().ok()) << graph.Verify().message();
  int bit_casts = 0;
  for (NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    if (!node.Is("BitCast")) continue;
    ++bit_casts;
    const DType from = graph.value(node.inputs[0]).type.dtype, to = graph.value(node.outputs[0]).type.dtype;
    EXPECT_TRUE((from == DType::kFloat16 && to == DType::kInt16) || (from == DType::kInt16 && to == DType::kFloat16));
  }
  EXPECT_EQ(bit_casts, 2);
}

TEST(Widen, BodiesAreWidenedWithWhatTheyCapture) {
  Graph graph;
  graph.opsets[""] = 21;
  const ValueId condition = graph.AddValue("condition", Type::Tensor(DType::kBool, {}));
  const ValueId x = graph.AddValue("x", Type::Tensor(DType::kFloat16, {4}));
  graph.inputs = {condition, x};
  Node branch;
  branch.op = "If";
  branch.inputs = {condition};
  branch.outputs = {graph.AddValue("y", Type::Tensor(DType::kFloat16, {4}))};
  for (const char* name : {"then_branch", "else_branch"}) {
    Region region;
    region.name = name;
    region.captures = {x};
    region.body = std::make_unique<Graph>();
    Graph& body = *region.body;
    body.opsets = graph.opsets;
    body.inputs = {body.AddValue("captured", Type::Tensor(DType::kFloat16, {4}))};
    body.outputs = {Add(body, "Relu", "", {body.inputs[0]}, "inner")};
    branch.regions.push_back(std::move(region));
  }
  graph.outputs = branch.outputs;
  graph.AddNode(std::move(branch));
  ASSERT_TRUE(Widen(graph, DType::kFloat16));
  EXPECT_EQ(graph.value(graph.outputs[0]).type.dtype, DType::kFloat16);
  for (NodeId id : graph.NodeIds()) {
    for (const Region& region : graph.node(id).regions) {
      EXPECT_EQ(graph.value(region.captures[0]).type.dtype, DType::kFloat32);
      EXPECT_EQ(region.body->value(region.body->inputs[0]).type.dtype, DType::kFloat32);
      EXPECT_EQ(region.body->value(region.body->outputs[0]).type.dtype, DType::kFloat32);
    }
  }
}

}  // namespace
}  // namespace tamis
