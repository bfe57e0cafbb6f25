#include "src/passes/widen_half.h"

#include <gtest/gtest.h>

#include "src/ops/op_def.h"

namespace tamis {
namespace {

ValueId Add(Graph& graph, const std::string& op, std::vector<ValueId> inputs, const char* name) {
  Node node;
  node.op = op;
  node.inputs = std::move(inputs);
  node.outputs = {graph.AddValue(name)};
  const NodeId id = graph.AddNode(std::move(node));
  const Status status = InferNode(graph, id);
  EXPECT_TRUE(status.ok()) << status.message();
  return graph.node(id).outputs[0];
}

// A product with bias and activation, whose operands are of one type.
Graph Product(DType dtype) {
  Graph graph;
  graph.opsets[""] = 21;
  graph.inputs = {graph.AddValue("x", Type::Tensor(dtype, {Dim::Symbol("n"), 8}))};
  const ValueId product =
      Add(graph, "MatMul", {graph.inputs[0], graph.AddConstant("w", Tensor(dtype, {8, 6}))}, "product");
  const ValueId sum = Add(graph, "Add", {product, graph.AddConstant("b", Tensor(dtype, {6}))}, "sum");
  graph.outputs = {Add(graph, "Relu", {sum}, "y")};
  return graph;
}

TEST(WidenHalf, NetworksInHalfPrecisionAreFusedAsThoseInF32) {
  for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
    Graph graph = Product(dtype);
    std::vector<Pass> passes = SimplifyPasses();
    for (const Pass& pass : FusePasses()) passes.push_back(pass);
    const Status status = RunPasses(graph, passes, {}, nullptr);
    ASSERT_TRUE(status.ok()) << status.message();
    int products = 0, casts = 0;
    for (NodeId id : graph.NodeIds()) {
      const Node& node = graph.node(id);
      products += node.IsTamis("Linear") ? 1 : 0;
      casts += node.Is("Cast") ? 1 : 0;
      if (node.IsTamis("Linear")) {
        EXPECT_EQ(graph.value(node.inputs[1]).type.dtype, DType::kFloat32);
      }
    }
    EXPECT_EQ(products, 1) << graph.ToString();
    EXPECT_EQ(casts, 2) << graph.ToString();
    EXPECT_EQ(graph.NumNodes(), 3u) << graph.ToString();
    EXPECT_EQ(graph.value(graph.inputs[0]).type.dtype, dtype);
    EXPECT_EQ(graph.value(graph.outputs[0]).type.dtype, dtype);
    EXPECT_EQ(graph.value(graph.outputs[0]).name, "y");
  }
}

TEST(WidenHalf, CanBeSwitchedOff) {
  Graph graph = Product(DType::kFloat16);
  PassOptions options;
  options.skip = {"widen_half"};
  ASSERT_TRUE(RunPasses(graph, FusePasses(), options, nullptr).ok());
  for (NodeId id : graph.NodeIds()) EXPECT_FALSE(graph.node(id).Is("Cast")) << graph.ToString();
}

}  // namespace
}  // namespace tamis
