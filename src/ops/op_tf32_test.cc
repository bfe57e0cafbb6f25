#include "src/ops/op_tf32.h"

#include <gtest/gtest.h>

namespace tamis {
namespace {

TEST(Tf32, MarksProductsOfF32InRegionsToo) {
  Graph graph;
  const auto add = [](Graph& to, const char* op, std::string_view domain, DType dtype) {
    const ValueId x = to.AddValue(to.FreshName("x"), Type::Tensor(dtype, {Dim(2), Dim(2)}));
    const ValueId y = to.AddValue(to.FreshName("y"), Type::Tensor(dtype, {Dim(2), Dim(2)}));
    Node node;
    node.op = op;
    node.domain = domain;
    node.inputs = {x, x};
    node.outputs = {y};
    return to.AddNode(std::move(node));
  };
  const NodeId linear = add(graph, "Linear", kTamisDomain, DType::kFloat32);
  const NodeId matmul = add(graph, "MatMul", "", DType::kFloat32);
  const NodeId narrow = add(graph, "Linear", kTamisDomain, DType::kFloat16);
  const NodeId sum = add(graph, "Add", "", DType::kFloat32);
  const NodeId branch = add(graph, "If", "", DType::kFloat32);
  auto body = std::make_unique<Graph>();
  const NodeId inner = add(*body, "ChannelsLastConv", kTamisDomain, DType::kFloat32);
  graph.node(branch).regions.push_back({"then_branch", std::move(body), {}});

  EXPECT_EQ(AllowTf32(graph), 3);
  EXPECT_TRUE(AllowsTf32(graph.node(linear)) && AllowsTf32(graph.node(matmul)));
  EXPECT_FALSE(AllowsTf32(graph.node(narrow)) || AllowsTf32(graph.node(sum)) || AllowsTf32(graph.node(branch)));
  EXPECT_TRUE(AllowsTf32(graph.node(branch).regions[0].body->node(inner)));
}

}  // namespace
}  // namespace tamis
