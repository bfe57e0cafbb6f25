#include "src/ir/graph.h"

#include <gtest/gtest.h>

#include <array>

namespace tamis {
namespace {

const Type kVector = Type::Tensor(DType::kFloat32, {Dim::Symbol("n")});

// x -> First -> a -> Second(a, w) -> y, and a dead node Third(x) -> z
struct Chain {
  Graph graph;
  ValueId x, w, a, y, z;
  NodeId first, second, third;

  Chain() {
    graph.opsets[""] = 17;
    x = graph.AddValue("x", kVector);
    w = graph.AddConstant("w", Tensor::Float(2));
    a = graph.AddValue("a", kVector);
    y = graph.AddValue("y", kVector);
    z = graph.AddValue("z", kVector);
    first = Add("First", {x}, {a});
    second = Add("Second", {a, w, kNoValue}, {y});
    third = Add("Third", {x}, {z});
    graph.inputs = {x};
    graph.outputs = {y};
  }
  NodeId Add(std::string op, std::vector<ValueId> inputs, std::vector<ValueId> outputs) {
    Node node;
    node.op = std::move(op);
    node.inputs = std::move(inputs);
    node.outputs = std::move(outputs);
    return graph.AddNode(std::move(node));
  }
};

TEST(Graph, LinksNodesAndValues) {
  Chain c;
  EXPECT_TRUE(c.graph.Verify().ok());
  EXPECT_EQ(c.graph.value(c.y).producer, c.second);
  EXPECT_EQ(c.graph.value(c.x).producer, kNoNode);
  const auto users = c.graph.Users();
  EXPECT_EQ(users[static_cast<size_t>(c.x)], (std::vector<NodeId>{c.first, c.third}));
  EXPECT_TRUE(users[static_cast<size_t>(c.y)].empty());
  EXPECT_TRUE(c.graph.IsOutput(c.y));
  EXPECT_NE(c.graph.ConstantInput(c.graph.node(c.second), 1), nullptr);
  EXPECT_EQ(c.graph.ConstantInput(c.graph.node(c.second), 0), nullptr);
  EXPECT_EQ(c.graph.ConstantInput(c.graph.node(c.second), 2), nullptr);
  EXPECT_EQ(c.graph.ConstantInput(c.graph.node(c.second), 9), nullptr);
  EXPECT_EQ(c.graph.Opset(), 17);
  EXPECT_EQ(c.graph.Opset("other"), 1);
}

TEST(Graph, CompactDropsWhatNobodyReads) {
  Chain c;
  c.graph.Compact();
  EXPECT_EQ(c.graph.NumNodes(), 2u);
  EXPECT_EQ(c.graph.NumValues(), 4u);
  EXPECT_TRUE(c.graph.Verify().ok());
  EXPECT_EQ(c.graph.value(c.graph.outputs[0]).name, "y");
  EXPECT_EQ(c.graph.value(c.graph.inputs[0]).name, "x");
}

TEST(Graph, ReplacingAndRemoving) {
  Chain c;
  c.graph.ReplaceAllUses(c.a, c.x);
  c.graph.RemoveNode(c.first);
  EXPECT_EQ(c.graph.node(c.second).input(0), c.x);
  EXPECT_EQ(c.graph.value(c.a).producer, kNoNode);
  EXPECT_EQ(c.graph.NodeIds(), (std::vector<NodeId>{c.second, c.third}));
  EXPECT_TRUE(c.graph.Verify().ok());
  c.graph.ReplaceAllUses(c.y, c.z);
  EXPECT_TRUE(c.graph.IsOutput(c.z));
}

TEST(Graph, SortsStablyAndNamesCycles) {
  Chain c;
  const ValueId b = c.graph.AddValue("b", kVector);
  c.graph.node(c.first).inputs[0] = b;  // First now needs what comes last
  c.Add("Fourth", {c.x}, {b});
  EXPECT_FALSE(c.graph.Verify().ok());
  ASSERT_TRUE(c.graph.Sort().ok());
  EXPECT_TRUE(c.graph.Verify().ok());
  std::vector<std::string> order;
  for (NodeId id : c.graph.NodeIds()) order.push_back(c.graph.node(id).op);
  EXPECT_EQ(order, (std::vector<std::string>{"Third", "Fourth", "First", "Second"}));
  const NodeId fourth = c.graph.value(b).producer;
  c.graph.node(fourth).inputs[0] = c.y;
  const Status status = c.graph.Sort();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.kind(), ErrorKind::kUser);
  for (const char* name : {"First", "Second", "Fourth"}) EXPECT_NE(status.message().find(name), std::string::npos);
}

TEST(Graph, VerifyFindsBrokenStructure) {
  const auto broken = [](void (*damage)(Chain&)) {
    Chain c;
    damage(c);
    return !c.graph.Verify().ok();
  };
  EXPECT_TRUE(broken([](Chain& c) { c.graph.node(c.first).inputs[0] = 99; }));
  EXPECT_TRUE(broken([](Chain& c) { c.graph.node(c.first).inputs[0] = c.y; }));
  EXPECT_TRUE(broken([](Chain& c) { c.graph.node(c.third).outputs[0] = c.y; }));
  EXPECT_TRUE(broken([](Chain& c) { c.graph.outputs = {-5}; }));
  EXPECT_TRUE(broken([](Chain& c) { c.graph.inputs = {c.x, c.x}; }));
  EXPECT_TRUE(broken([](Chain& c) { c.graph.value(c.y).producer = c.first; }));
  EXPECT_FALSE(broken([](Chain&) {}));
}

TEST(Graph, CloneIsIndependentButSharesConstants) {
  Chain c;
  Node branch;
  branch.op = "If";
  branch.inputs = {c.x};
  branch.outputs = {c.graph.AddValue("r", kVector)};
  branch.regions.push_back({"then_branch", std::make_unique<Graph>(Chain().graph.Clone()), {c.w}});
  const NodeId id = c.graph.AddNode(std::move(branch));
  Graph copy = c.graph.Clone();
  EXPECT_EQ(copy.ToString(), c.graph.ToString());
  EXPECT_EQ(copy.value(c.w).constant->raw(), c.graph.value(c.w).constant->raw());
  ASSERT_EQ(copy.node(id).regions.size(), 1u);
  EXPECT_NE(copy.node(id).regions[0].body.get(), c.graph.node(id).regions[0].body.get());
  EXPECT_TRUE(copy.Verify().ok());
  copy.node(c.first).op = "Other";
  EXPECT_EQ(c.graph.node(c.first).op, "First");
  copy.ReplaceAllUses(c.w, c.x);
  EXPECT_EQ(copy.node(id).regions[0].captures[0], c.x);
}

TEST(Graph, FreshNamesAreFresh) {
  Graph graph;
  graph.AddValue("t_0");
  const std::string first = graph.FreshName("t");
  EXPECT_NE(first, "t_0");
  graph.AddValue(first);
  EXPECT_NE(graph.FreshName("t"), first);
}

TEST(Graph, AttributesOfTheWrongKindCountAsAbsent) {
  Node node;
  node.attributes = {{"i", int64_t{3}}, {"f", 1.5f}, {"s", std::string("x")}, {"v", std::vector<int64_t>{1, 2}}};
  EXPECT_EQ(node.Int("i", 0), 3);
  EXPECT_EQ(node.Int("f", 7), 7);
  EXPECT_EQ(node.Float("f", 0), 1.5f);
  EXPECT_EQ(node.String("s", ""), "x");
  EXPECT_EQ(node.Ints("v"), (std::vector<int64_t>{1, 2}));
  EXPECT_TRUE(node.Ints("absent").empty());
  EXPECT_EQ(node.TensorAttribute("v"), nullptr);
}

}  // namespace
}  // namespace tamis
