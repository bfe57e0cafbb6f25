#include "src/passes/test_graph.h"

namespace tamis {
namespace {

const std::vector<Pass> kPass = {{"fold_constants", FoldConstants}};

TEST(FoldConstants, EvaluatesConstantSubgraphs) {
  TestGraph t;
  const ValueId x = t.Input("x", {4, 3});
  const ValueId w = t.Op("Transpose", {t.Weight({3, 3})}, {{"perm", std::vector<int64_t>{1, 0}}});
  const ValueId scaled = t.Op("Mul", {w, t.Op("Sqrt", {t.Scalar(4)})});
  t.Output(t.Op("MatMul", {x, scaled}));
  const Graph after = RewriteAndCompare(t.graph, kPass, {{"x", RandomTensor({4, 3}, 1)}}, 0);
  EXPECT_EQ(CountOps(after), (std::map<std::string, int>{{"MatMul", 1}}));
}

TEST(FoldConstants, FoldsShapesOfFixedDimensions) {
  TestGraph t;
  const ValueId x = t.Input("x", {Dim::Symbol("n"), 3, 4});
  const ValueId shape = t.Op("Shape", {x});
  const ValueId last = t.Op("Gather", {shape, t.Ints({2})});  // known though n is not
  const ValueId target = t.Op("Concat", {t.Ints({-1}), last}, {{"axis", int64_t{0}}});
  t.Output(t.Op("Reshape", {x, target}));
  const Graph after = RewriteAndCompare(t.graph, kPass, {{"x", RandomTensor({2, 3, 4}, 2)}}, 0);
  EXPECT_EQ(CountOps(after), (std::map<std::string, int>{{"Reshape", 1}}));
}

TEST(FoldConstants, BoundsGrowth) {
  TestGraph t;
  const ValueId x = t.Input("x", {1});
  const ValueId large = t.Op("Expand", {t.Scalar(1), t.Ints({1 << 20, 1 << 12})});  // 16 GiB if folded
  t.Output(t.Op("Gather", {t.Op("Slice", {large, t.Ints({0}), t.Ints({2}), t.Ints({0})}), t.Ints({0})}));
  t.Output(x);
  Graph graph = t.graph.Clone();
  const Status status = RunPasses(graph, kPass, {});
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(CountOps(graph)["Expand"], 1);
}

}  // namespace
}  // namespace tamis
