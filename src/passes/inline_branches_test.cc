#include "src/passes/test_graph.h"

namespace tamis {
namespace {

const std::vector<Pass> kPass = {{"inline_branches", InlineBranches}};

// Relu of the first captured value in one branch, what is captured second, as it is, in the other.
NodeId AddIf(Graph& graph, ValueId condition, ValueId a, ValueId b) {
  Node node;
  node.op = "If";
  node.inputs = {condition};
  node.outputs = {graph.AddValue("chosen")};
  for (const bool is_then : {true, false}) {
    auto body = std::make_unique<Graph>();
    body->opsets = graph.opsets;
    body->inputs = {body->AddValue("a"), body->AddValue("b")};
    ValueId result = body->inputs[1];
    if (is_then) {
      Node relu;
      relu.op = "Relu";
      relu.inputs = {body->inputs[0]};
      relu.outputs = {body->AddValue("chosen")};  // the same name as outside
      result = relu.outputs[0];
      body->AddNode(std::move(relu));
    }
    body->outputs = {result};
    node.regions.push_back({is_then ? "then_branch" : "else_branch", std::move(body), {a, b}});
  }
  const NodeId id = graph.AddNode(std::move(node));
  const Status status = InferNode(graph, id);
  EXPECT_TRUE(status.ok()) << status.message();
  return id;
}

Graph Choosing(std::optional<bool> condition) {
  TestGraph t;
  const ValueId x = t.Input("x", {2, 3});
  const ValueId choose = t.Input("choose", {}, DType::kBool);
  const ValueId negative = t.Op("Neg", {x});
  ValueId decided = choose;
  if (condition) {
    decided = t.graph.AddConstant("decided", Tensor::Of<bool>(DType::kBool, {}, std::span<const bool>(&*condition, 1)));
  }
  const NodeId id = AddIf(t.graph, decided, x, negative);
  t.Output(t.Op("Sqrt", {t.graph.node(id).outputs[0]}));
  t.Output(t.graph.node(id).outputs[0]);
  return std::move(t.graph);
}

TEST(InlineBranches, TakesTheBranchThatIsKnown) {
  for (const bool condition : {true, false}) {
    Graph graph = Choosing(condition);
    const Status status = RunPasses(graph, kPass, {});
    ASSERT_TRUE(status.ok()) << status.message();
    graph.Compact();
    EXPECT_EQ(CountOps(graph), condition ? (std::map<std::string, int>{{"Relu", 1}, {"Sqrt", 1}})
                                         : (std::map<std::string, int>{{"Identity", 1}, {"Neg", 1}, {"Sqrt", 1}}));
    EXPECT_EQ(graph.value(graph.outputs[1]).name, "chosen");
    const bool unused = true;
    const auto outputs =
        Evaluate(graph, {{"x", Tensor::Of<float>(DType::kFloat32, {2, 3}, std::vector<float>{1, -4, 9, -16, 25, -36})},
                         {"choose", Tensor::Of<bool>(DType::kBool, {}, std::span<const bool>(&unused, 1))}});
    EXPECT_EQ(outputs[1].Data<float>()[1], condition ? 0 : 4);
  }
}

TEST(InlineBranches, LeavesTheOthers) {
  Graph graph = Choosing(std::nullopt);
  const Status status = RunPasses(graph, kPass, {});
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(CountOps(graph)["If"], 1);
}

}  // namespace
}  // namespace tamis
