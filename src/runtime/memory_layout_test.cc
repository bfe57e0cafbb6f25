#include "src/runtime/memory_layout.h"

#include <gtest/gtest.h>

#include "src/ops/op_def.h"
#include "src/runtime/memory_plan.h"

namespace tamis {
namespace {

struct Chain {
  Graph graph;
  std::vector<LayoutStep> steps;

  Chain() {
    graph.opsets[""] = 17;
    graph.inputs = {graph.AddValue("x", Type::Tensor(DType::kFloat32, {1024}))};
  }
  ValueId Add(const char* op, std::vector<ValueId> inputs, const char* name, uint32_t in_place) {
    Node node;
    node.op = op;
    node.inputs = std::move(inputs);
    node.outputs = {graph.AddValue(name)};
    const NodeId id = graph.AddNode(std::move(node));
    EXPECT_TRUE(InferNode(graph, id).ok());
    steps.push_back({id, 0, in_place});
    return graph.node(id).outputs[0];
  }
  const Place& Of(const MemoryLayout& layout, ValueId id) { return layout.values[static_cast<size_t>(id)]; }
};

TEST(LayOut, AnElementwiseChainStaysInOneBuffer) {
  Chain chain;
  const ValueId a = chain.Add("Exp", {chain.graph.inputs[0]}, "a", 1);
  const ValueId b = chain.Add("Tanh", {a}, "b", 1);
  const ValueId c = chain.Add("Sqrt", {b}, "c", 1);
  chain.graph.outputs = {chain.Add("Neg", {c}, "y", 1)};
  const MemoryLayout layout = LayOut(chain.graph, chain.steps);
  EXPECT_EQ(chain.Of(layout, a).offset, chain.Of(layout, b).offset);
  EXPECT_EQ(chain.Of(layout, b).offset, chain.Of(layout, c).offset);
  EXPECT_EQ(chain.Of(layout, chain.graph.outputs[0]).kind, Place::Kind::kOutput);
  EXPECT_EQ(layout.figures.lower_bound, 4096u);
  EXPECT_EQ(layout.figures.naive, 3u * 4096u);
}

TEST(LayOut, WhatIsReadLaterIsNotOverwritten) {
  Chain chain;
  const ValueId a = chain.Add("Exp", {chain.graph.inputs[0]}, "a", 1);
  const ValueId b = chain.Add("Tanh", {a}, "b", 1);
  chain.graph.outputs = {chain.Add("Add", {a, b}, "y", 3)};
  const MemoryLayout layout = LayOut(chain.graph, chain.steps);
  EXPECT_NE(chain.Of(layout, a).offset, chain.Of(layout, b).offset);
  EXPECT_EQ(layout.figures.lower_bound, 2u * 4096u);
}

TEST(LayOut, TheCallersInputIsNeverOverwritten) {
  Chain chain;
  const ValueId a = chain.Add("Exp", {chain.graph.inputs[0]}, "a", 1);
  chain.graph.outputs = {chain.Add("Neg", {a}, "y", 1)};
  const MemoryLayout layout = LayOut(chain.graph, chain.steps);
  EXPECT_EQ(chain.Of(layout, chain.graph.inputs[0]).kind, Place::Kind::kInput);
  EXPECT_EQ(chain.Of(layout, a).kind, Place::Kind::kArena);
}

// A product may write over its residual, but not over one that it also multiplies.
TEST(LayOut, AResidualThatIsReadElsewhereTooIsNotOverwritten) {
  constexpr uint32_t kOverSecond = 1U << 1;
  for (const bool both : {false, true}) {
    Chain chain;
    const ValueId a = chain.Add("Exp", {chain.graph.inputs[0]}, "a", 1);
    const ValueId b = both ? a : chain.Add("Tanh", {a}, "b", 0);
    const ValueId y = chain.Add("Mul", {a, b}, "product", kOverSecond);
    chain.graph.outputs = {chain.Add("Neg", {y}, "y", 0)};
    const MemoryLayout layout = LayOut(chain.graph, chain.steps);
    EXPECT_EQ(chain.Of(layout, y).offset == chain.Of(layout, b).offset, !both);
  }
}

TEST(LayOut, ABroadcastOperandIsNotOverwritten) {
  Chain chain;
  const ValueId x = chain.graph.inputs[0];
  const ValueId row = chain.graph.AddConstant("row", Tensor(DType::kFloat32, {2, 1}));
  const ValueId a = chain.Add("Exp", {x}, "a", 1);
  const ValueId wide = chain.Add("Add", {row, a}, "wide", 3);  // [2, 1024] from [1024]
  chain.graph.outputs = {chain.Add("Neg", {wide}, "y", 1)};
  const MemoryLayout layout = LayOut(chain.graph, chain.steps);
  EXPECT_EQ(layout.figures.lower_bound, 3u * 4096u);
}

}  // namespace
}  // namespace tamis
