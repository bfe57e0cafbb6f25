#include "src/runtime/prepared_node.h"

#include <gtest/gtest.h>

#include "src/kernels/kernel_threads.h"

namespace tamis {
namespace {

Graph OneRelu() {
  Graph graph;
  graph.opsets[""] = 17;
  const Type type = Type::Tensor(DType::kFloat32, {Dim(4), Dim(6)});
  graph.inputs = {graph.AddValue("x", type)};
  graph.outputs = {graph.AddValue("y", type)};
  Node node;
  node.op = "Relu";
  node.inputs = graph.inputs;
  node.outputs = graph.outputs;
  graph.AddNode(std::move(node));
  return graph;
}

TEST(PreparedNode, RunsOnAsManyThreadsAsItsTacticSays) {
  const Graph graph = OneRelu();
  const Node& relu = graph.node(graph.NodeIds()[0]);
  PackCache cache;
  const auto any = PreparedNode::Make(graph, relu, 4, "", cache);
  ASSERT_TRUE(any.ok()) << any.status().message();
  const std::string kernel = (*any)->tactic();
  EXPECT_EQ((*any)->problem().threads, 4);
  for (const auto& [wish, threads, tactic] :
       std::vector<std::tuple<std::string, int, std::string>>{{OnThreads(kernel, 1), 1, OnThreads(kernel, 1)},
                                                              {OnThreads(kernel, 2), 2, OnThreads(kernel, 2)},
                                                              {OnThreads(kernel, 8), 4, kernel},
                                                              {kernel + "@0", 4, kernel},
                                                              {"nowhere@1", 4, kernel}}) {
    const auto prepared = PreparedNode::Make(graph, relu, 4, wish, cache);
    ASSERT_TRUE(prepared.ok()) << wish;
    EXPECT_EQ((*prepared)->problem().threads, threads) << wish;
    EXPECT_EQ((*prepared)->tactic(), tactic) << wish;
  }
}

}  // namespace
}  // namespace tamis
