// What becomes of products that may round their operands to float8.
#include <gtest/gtest.h>

#include "src/cuda/fuse_for_cuda.h"
#include "src/ops/op_float8.h"
#include "src/ops/op_tamis.h"

namespace tamis {
namespace {

// Two products of one x and a third of their first, f16, of this many outputs.
Graph Products(int64_t outputs) {
  Graph graph;
  graph.opsets[""] = 21;
  const auto half = [&](const char* name, int64_t columns) {
    return graph.AddValue(name, Type::Tensor(DType::kFloat16, {Dim(5), Dim(columns)}));
  };
  const ValueId x = half("x", 32);
  graph.inputs = {x};
  const auto add = [&](const char* name, ValueId from, int64_t depth, float scale) {
    Node node;
    node.op = "Linear";
    node.domain = kTamisDomain;
    node.attributes[kFloat8Scale] = scale;
    Tensor weight(DType::kFloat16, {outputs, depth});
    for (int64_t i = 0; i < weight.NumElements(); ++i) weight.Data<uint16_t>()[i] = 0x3c00;  // 1
    node.inputs = {from, graph.AddConstant(std::string(name) + "_weight", std::move(weight)),
                   graph.AddConstant(std::string(name) + "_bias", Tensor(DType::kFloat32, {outputs}))};
    node.outputs = {half(name, outputs)};
    graph.AddNode(std::move(node));
    return graph.node(graph.NodeIds().back()).outputs[0];
  };
  const ValueId a = add("a", x, 32, 0.25f);
  graph.outputs = {add("b", x, 32, 0.25f), add("c", a, outputs, 0.5f)};
  return graph;
}

int Count(const Graph& graph, std::string_view op) {
  int count = 0;
  for (const NodeId id : graph.NodeIds()) count += graph.node(id).op == op;
  return count;
}

TEST(FuseFloat8, QuantisesEachOperandOnce) {
  Graph graph = Products(48);
  ASSERT_TRUE(FuseForCuda(graph).ok());
  ASSERT_TRUE(graph.Verify().ok()) << graph.ToString();
  EXPECT_EQ(Count(graph, "Float8Linear"), 3);
  EXPECT_EQ(Count(graph, "QuantizeLinear"), 2);
  for (const NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    if (!node.IsTamis("Float8Linear")) continue;
    ASSERT_EQ(node.inputs.size(), 4u);
    const float scale = graph.ConstantInput(node, 2)->Data<float>()[0];
    const float x_scale = graph.value(node.outputs[0]).name == "c" ? 0.5f : 0.25f;
    EXPECT_FLOAT_EQ(DecodeFloat8(static_cast<uint8_t>(graph.ConstantInput(node, 1)->raw()[0])) * scale, x_scale);
    EXPECT_NE(graph.value(node.inputs[1]).constant_hash, 0u);
    EXPECT_EQ(ConstantDims(graph.value(node.inputs[0]).type.shape)->size(), 2u);
    EXPECT_EQ(graph.value(node.inputs[0]).type.dtype, DType::kFloat8E4M3);
  }
}

TEST(FuseFloat8, LeavesWhatNoKernelTakes) {
  Graph older = Products(48), odd = Products(40);
  ASSERT_TRUE(FuseForCuda(older, 86).ok());
  EXPECT_EQ(Count(older, "Linear"), 3) << "a GPU without such products computes in f16";
  ASSERT_TRUE(FuseForCuda(odd).ok());
  EXPECT_EQ(Count(odd, "Linear"), 3);
}

}  // namespace
}  // namespace tamis
