// What becomes of attentions in f32, evaluated by the operators' references on both sides.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <ostream>
#include <random>

#include "src/cuda/fuse_for_cuda.h"
#include "src/ops/op_def.h"
#include "src/ops/op_tf32.h"

namespace tamis {
namespace {

constexpr unsigned kSeed = 20251128;

struct Case {
  Dims q, k, v, mask, y;
  std::map<std::string, Attribute> attributes;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << ToString(c.q) << " by " << ToString(c.k);
}

class ExpandAttention : public testing::Test {
 protected:
  void Make(const Case& c) {
    std::mt19937 random(kSeed);
    std::normal_distribution<float> normal;
    graph_.opsets[""] = 21;
    Node node;
    node.op = "Attention";
    node.domain = kTamisDomain;
    for (const auto& [key, value] : c.attributes) node.attributes[key] = value;
    for (const auto& [name, dims] : {std::pair("q", c.q), {"k", c.k}, {"v", c.v}, {"mask", c.mask}}) {
      if (dims.empty()) continue;
      Tensor tensor(DType::kFloat32, dims);
      for (float& x : tensor.Span<float>()) x = normal(random);
      const ValueId value = graph_.AddValue(name, Type::Tensor(DType::kFloat32, ShapeOf(dims)));
      graph_.inputs.push_back(value);
      node.inputs.push_back(value);
      values_[value] = std::move(tensor);
    }
    node.outputs = {graph_.AddValue("y", Type::Tensor(DType::kFloat32, ShapeOf(c.y)))};
    graph_.outputs = node.outputs;
    graph_.AddNode(std::move(node));
  }

  static Shape ShapeOf(const Dims& dims) {
    Shape shape;
    for (const int64_t dim : dims) shape.push_back(Dim(dim));
    return shape;
  }

  Tensor Evaluate() const {
    std::map<ValueId, Tensor> values = values_;
    for (const NodeId id : graph_.NodeIds()) {
      const Node& node = graph_.node(id);
      std::vector<const Tensor*> operands;
      for (const ValueId input : node.inputs) {
        const Value& value = graph_.value(input);
        operands.push_back(value.constant ? &*value.constant : &values.at(input));
      }
      auto results = EvaluateNode(node, 21, operands);
      EXPECT_TRUE(results.ok()) << node.op << ": " << results.status().message();
      if (!results.ok()) return {};
      EXPECT_EQ(ShapeOf((*results)[0].dims()), graph_.value(node.outputs[0]).type.shape) << node.op;
      values[node.outputs[0]] = std::move((*results)[0]);
    }
    return values.at(graph_.outputs[0]);
  }

  Graph graph_;
  std::map<ValueId, Tensor> values_;
};

class ExpandAttentionCases : public ExpandAttention, public testing::WithParamInterface<Case> {};

TEST_P(ExpandAttentionCases, GiveTheSame) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  Make(GetParam());
  const Tensor expected = Evaluate();
  AllowTf32(graph_);
  ASSERT_TRUE(FuseForCuda(graph_).ok());
  ASSERT_TRUE(graph_.Verify().ok()) << graph_.ToString();
  int products = 0;
  for (const NodeId id : graph_.NodeIds()) {
    const Node& node = graph_.node(id);
    EXPECT_FALSE(node.IsTamis("Attention"));
    products += node.Is("MatMul") && AllowsTf32(node);
  }
  EXPECT_EQ(products, 2);
  const Tensor actual = Evaluate();
  ASSERT_EQ(actual.dims(), expected.dims());
  // Sums of a few numbers of size one in f32, whose order differs.
  for (int64_t i = 0; i < expected.NumElements(); ++i) {
    ASSERT_NEAR(actual.Data<float>()[i], expected.Data<float>()[i], 2e-6) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, ExpandAttentionCases,
    testing::Values(
        Case{{2, 5, 12}, {2, 7, 12}, {2, 7, 18}, {}, {2, 5, 18}, {{"num_heads", int64_t{3}}, {"scale", 0.5f}}},
        Case{
            {1, 5, 12}, {1, 5, 12}, {1, 5, 12}, {1, 1, 1, 5}, {1, 5, 12}, {{"num_heads", int64_t{2}}, {"scale", 1.0f}}},
        // Shared keys, heads apart, a causal window from the end, a soft cap.
        Case{{2, 4, 3, 6},
             {2, 2, 5, 6},
             {2, 2, 5, 6},
             {2, 4, 3, 5},
             {2, 3, 24},
             {{"num_heads", int64_t{4}},
              {"kv_heads", int64_t{2}},
              {"scale", 0.4f},
              {"causal", int64_t{1}},
              {"from_end", int64_t{1}},
              {"windowed", int64_t{1}},
              {"window_offset", int64_t{-1}},
              {"softcap", 2.0f}}}));

// Rows without a key have a value of their own there; they are the CPU's.
TEST_F(ExpandAttention, LeavesRowsThatMaySeeNothing) {
  Make({{1, 2, 4},
        {1, 2, 4},
        {1, 2, 4},
        {1, 1, 2, 2},
        {1, 2, 4},
        {{"num_heads", int64_t{1}}, {"scale", 1.0f}, {"zero_masked", int64_t{1}}}});
  ASSERT_TRUE(FuseForCuda(graph_).ok());
  ASSERT_EQ(graph_.NumNodes(), 1u);
}

}  // namespace
}  // namespace tamis
