#include "src/passes/test_graph.h"

namespace tamis {
namespace {

using Counts = std::map<std::string, int>;

const std::vector<Pass> kPass = {{"drop_expand", DropExpand}};

TEST(DropExpand, LetsTheReaderBroadcast) {
  TestGraph t;
  const Dim n = Dim::Symbol("n"), h = Dim::Symbol("h");
  const ValueId image = t.Input("image", {n, 4, h, 5});
  const ValueId gate = t.Op("Sigmoid", {t.Input("gate", {n, 4, 1, 1})});
  const ValueId wide = t.Op("Expand", {gate, t.Op("Shape", {image})});
  t.Output(t.Op("Mul", {image, wide}));
  t.Output(t.Op("Where", {t.Op("Less", {wide, image}), wide, image}));
  const Graph after = RewriteAndCompare(
      t.graph, kPass, {{"image", RandomTensor({2, 4, 3, 5}, 1)}, {"gate", RandomTensor({2, 4, 1, 1}, 2)}}, 0);
  EXPECT_EQ(CountOps(after), (Counts{{"Sigmoid", 1}, {"Mul", 1}, {"Less", 1}, {"Where", 1}}));
}

TEST(DropExpand, KeepsWhatGivesTheShape) {
  TestGraph t;
  const ValueId row = t.Input("row", {1, 5}), column = t.Input("column", {3, 1});
  t.Output(t.Op("Add", {t.Op("Expand", {row, t.Ints({3, 5})}), column}));     // 5 columns, whatever is expanded
  t.Output(t.Op("Mul", {t.Op("Expand", {row, t.Ints({2, 3, 5})}), column}));  // the rank
  t.Output(t.Op("Relu", {t.Op("Expand", {row, t.Ints({3, 5})})}));
  const Graph after =
      RewriteAndCompare(t.graph, kPass, {{"row", RandomTensor({1, 5}, 1)}, {"column", RandomTensor({3, 1}, 2)}}, 0);
  EXPECT_EQ(CountOps(after)["Expand"], 3);
}

TEST(DropExpand, OneOfTwo) {
  TestGraph t;
  const ValueId x = t.Input("x", {1, 5});
  const ValueId wide = t.Op("Expand", {x, t.Ints({3, 5})});
  t.Output(t.Op("Mul", {wide, wide}));
  const Graph after = RewriteAndCompare(t.graph, kPass, {{"x", RandomTensor({1, 5}, 1)}}, 0);
  EXPECT_EQ(CountOps(after), (Counts{{"Expand", 1}, {"Mul", 1}}));
}

}  // namespace
}  // namespace tamis
