#include "src/cuda/fuse_for_cuda.h"

#include <gtest/gtest.h>

namespace tamis {
namespace {

struct Projections {
  Graph graph;
  ValueId x = kNoValue;
  std::vector<ValueId> made;

  explicit Projections(int64_t width = 64) {
    graph.opsets[""] = 17;
    x = graph.AddValue("x", Type::Tensor(DType::kFloat16, {1, 5, Dim(width)}));
    graph.inputs = {x};
    for (const char* name : {"q", "k", "v"}) {
      Tensor weight(DType::kFloat16, {width, width});
      weight.Data<uint16_t>()[0] = static_cast<uint16_t>(name[0]);
      Node node;
      node.op = "Linear";
      node.domain = kTamisDomain;
      node.inputs = {x, graph.AddConstant(std::string(name) + "_weight", std::move(weight))};
      made.push_back(graph.AddValue(name, Type::Tensor(DType::kFloat16, {1, 5, Dim(width)})));
      node.outputs = {made.back()};
      graph.AddNode(std::move(node));
    }
    Node attention;
    attention.op = "Attention";
    attention.domain = kTamisDomain;
    attention.attributes = {{"num_heads", int64_t{2}}, {"scale", 1.0f}};
    attention.inputs = made;
    attention.outputs = {graph.AddValue("y", Type::Tensor(DType::kFloat16, {1, 5, Dim(width)}))};
    graph.outputs = attention.outputs;
    graph.AddNode(std::move(attention));
  }
};

TEST(FuseForCuda, StacksTheProjectionsOfAnAttention) {
  Projections p;
  ASSERT_TRUE(FuseForCuda(p.graph).ok());
  ASSERT_TRUE(p.graph.Verify().ok()) << p.graph.ToString();
  const auto ids = p.graph.NodeIds();
  ASSERT_EQ(ids.size(), 2u) << p.graph.ToString();
  const Node& linear = p.graph.node(ids[0]);
  const Node& attention = p.graph.node(ids[1]);
  EXPECT_TRUE(linear.IsTamis("Linear"));
  EXPECT_TRUE(attention.IsTamis("PackedAttention"));
  const Value& weight = p.graph.value(linear.inputs[1]);
  ASSERT_EQ(weight.constant->dims(), (Dims{192, 64}));
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(weight.constant->Data<uint16_t>()[i * 64 * 64], "qkv"[i]);
  EXPECT_NE(weight.constant_hash, 0u);
  EXPECT_EQ(ToString(p.graph.value(attention.inputs[0]).type.shape), "[1, 5, 192]");
}

TEST(FuseForCuda, LeavesWhatItsKernelDoesNotTake) {
  Projections odd(48);  // heads of depth 24
  ASSERT_TRUE(FuseForCuda(odd.graph).ok());
  EXPECT_EQ(odd.graph.NumNodes(), 4u);
  Projections shared;
  shared.graph.outputs.push_back(shared.made[1]);  // k is read outside too
  ASSERT_TRUE(FuseForCuda(shared.graph).ok());
  EXPECT_EQ(shared.graph.NumNodes(), 4u);
}

}  // namespace
}  // namespace tamis
