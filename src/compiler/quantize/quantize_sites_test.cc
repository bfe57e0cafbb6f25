#include "src/compiler/quantize/quantize_sites.h"

#include <gtest/gtest.h>

#include "src/compiler/prune/prune_test_graphs.h"

namespace tamis {
namespace {

constexpr uint32_t kSeed = 59;

std::set<std::string> Names(const Graph& graph, const std::set<ValueId>& values) {
  std::set<std::string> names;
  for (const ValueId value : values) names.insert(graph.value(value).name);
  return names;
}

// x -> Conv -> Relu -> Conv -> + -> MaxPool -> Flatten -> MatMul, the sum with the Relu's result; and a product by a
// weight that is no constant.
Graph Network() {
  std::mt19937 random(kSeed);
  GraphPair pair;
  pair.Input("x", DType::kFloat32, {Dim::Symbol("n"), Dim(4), Dim(8), Dim(8)});
  pair.Input("free", DType::kFloat32, {Dim(3), Dim(5)});
  Graph& graph = pair.simplified;
  const std::map<std::string, Attribute> same = {{"pads", std::vector<int64_t>{1, 1, 1, 1}}};
  Constant(graph, "first", RandomTensor({4, 4, 3, 3}, random));
  Append(graph, "Conv", "", {"x", "first"}, "a", same);
  Append(graph, "Relu", "", {"a"}, "r");
  Constant(graph, "second", RandomTensor({4, 4, 3, 3}, random));
  Append(graph, "Conv", "", {"r", "second"}, "b", same);
  Append(graph, "Add", "", {"b", "r"}, "sum");
  Append(graph, "MaxPool", "", {"sum"}, "pooled",
         {{"kernel_shape", std::vector<int64_t>{8, 8}}, {"strides", std::vector<int64_t>{8, 8}}});
  Append(graph, "Flatten", "", {"pooled"}, "flat");
  Constant(graph, "third", RandomTensor({4, 3}, random));
  Append(graph, "MatMul", "", {"flat", "third"}, "c");
  Append(graph, "MatMul", "", {"c", "free"}, "y");
  graph.outputs = {ValueNamed(graph, "y")};
  EXPECT_TRUE(InferShapes(graph).ok());
  return graph.Clone();
}

TEST(QuantizeSites, AreProductsAndWhatLiesBetweenThem) {
  const Graph graph = Network();
  const auto sites = FindQuantizeSites(graph, {});
  ASSERT_TRUE(sites.ok()) << sites.status().message();
  ASSERT_EQ(sites->products.size(), 3U);
  for (const QuantizeProduct& product : sites->products) EXPECT_TRUE(product.report.quantized) << product.report.reason;
  EXPECT_TRUE(sites->products[0].conv && !sites->products[2].conv);
  EXPECT_TRUE(sites->products[1].outputs_first && !sites->products[2].outputs_first);
  // Both sides of the sum, and before the pool, whose result has its codes.
  EXPECT_EQ(Names(graph, sites->tensors), (std::set<std::string>{"x", "r", "b", "sum", "pooled", "flat"}));
  EXPECT_EQ(Names(graph, sites->spatial), (std::set<std::string>{"x", "r", "b", "sum", "pooled"}));
  EXPECT_EQ(CodesBefore(graph, ValueNamed(graph, "pooled")), ValueNamed(graph, "sum"));
  EXPECT_EQ(CodesBefore(graph, ValueNamed(graph, "flat")), ValueNamed(graph, "pooled"));
  EXPECT_EQ(CodesBefore(graph, ValueNamed(graph, "sum")), kNoValue);
  const auto balance = FindBalanceSites(graph, *sites);
  ASSERT_EQ(balance.size(), 1U);
  EXPECT_EQ(balance[0].activation, ValueNamed(graph, "flat"));
}

TEST(QuantizeSites, StayFloatAsAsked) {
  const Graph graph = Network();
  const auto sites = FindQuantizeSites(graph, std::vector<std::string>{"second"});
  ASSERT_TRUE(sites.ok()) << sites.status().message();
  EXPECT_EQ(sites->products[1].report.reason, "kept float as asked");
  EXPECT_FALSE(sites->products[1].report.quantized);
  const auto unknown = FindQuantizeSites(graph, std::vector<std::string>{"second", "fourth", "fifth"});
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.status().message(), "no layer is called 'fourth', 'fifth'; there are: first, second, third");
}

}  // namespace
}  // namespace tamis
