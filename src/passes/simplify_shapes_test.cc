// simplify_shapes and eliminate_common.
#include "src/passes/test_graph.h"

namespace tamis {
namespace {

const std::vector<Pass> kShapes = {{"simplify_shapes", SimplifyShapes}};
const std::vector<Pass> kCommon = {{"eliminate_common", EliminateCommon}};

// As torch writes x.view(x.size(0), x.size(1), heads, -1).
ValueId ShapeOfAxis(TestGraph& t, ValueId x, int64_t axis) {
  return t.Op("Unsqueeze", {t.Op("Gather", {t.Op("Shape", {x}), t.Index(axis)}), t.Ints({0})});
}

TEST(SimplifyShapes, FreesReshapeAndExpand) {
  TestGraph t;
  const Dim b = Dim::Symbol("b"), s = Dim::Symbol("s");
  const ValueId x = t.Input("x", {b, s, 12});
  const ValueId split =
      t.Op("Concat", {ShapeOfAxis(t, x, 0), ShapeOfAxis(t, x, 1), t.Ints({3, 4})}, {{"axis", int64_t{0}}});
  t.Output(t.Op("Reshape", {x, split}));
  const ValueId rows =
      t.Op("Concat", {t.Op("Mul", {ShapeOfAxis(t, x, 0), ShapeOfAxis(t, x, 1)}), t.Ints({12})}, {{"axis", int64_t{0}}});
  t.Output(t.Op("Reshape", {x, rows}));
  t.Output(t.Op("Expand", {t.Op("ReduceSum", {x, t.Ints({2})}), t.Op("Shape", {x})}));
  const Graph after = RewriteAndCompare(t.graph, kShapes, {{"x", RandomTensor({2, 5, 12}, 1)}});
  auto counts = CountOps(after);
  EXPECT_EQ(counts["Reshape"], 2);
  EXPECT_EQ(counts["Concat"], 0);
}

TEST(SimplifyShapes, LeavesWhatAConstantCannotSay) {
  TestGraph t;
  const Dim b = Dim::Symbol("b"), s = Dim::Symbol("s");
  const ValueId x = t.Input("x", {b, s, 12});
  const ValueId swapped =
      t.Op("Concat", {ShapeOfAxis(t, x, 1), ShapeOfAxis(t, x, 0), t.Ints({12})}, {{"axis", int64_t{0}}});
  t.Output(t.Op("Reshape", {x, swapped}));
  const Graph after = RewriteAndCompare(t.graph, kShapes, {{"x", RandomTensor({2, 5, 12}, 2)}});
  EXPECT_EQ(CountOps(after)["Concat"], 1);
}

TEST(EliminateCommon, MergesEqualNodesOnly) {
  TestGraph t;
  const ValueId x = t.Input("x", {2, 3, 4});
  const auto reduce = [&](int64_t axis, int64_t keep) {
    return t.Op("ReduceSum", {x, t.Ints({axis})}, {{"keepdims", keep}});
  };
  t.Output(t.Op("Add", {reduce(1, 1), reduce(1, 1)}));
  t.Output(t.Op("Sub", {reduce(1, 1), reduce(1, 1)}));
  t.Output(reduce(1, 0));
  t.Output(reduce(2, 1));
  const Graph after = RewriteAndCompare(t.graph, kCommon, {{"x", RandomTensor({2, 3, 4}, 3)}}, 0);
  EXPECT_EQ(CountOps(after)["ReduceSum"], 3);
}

TEST(EliminateCommon, BothOutputsStay) {
  TestGraph t;
  const ValueId x = t.Input("x", {3});
  t.Output(t.Op("Relu", {x}));
  t.Output(t.Op("Relu", {x}));
  const Graph after = RewriteAndCompare(t.graph, kCommon, {{"x", RandomTensor({3}, 4)}}, 0);
  EXPECT_EQ(after.outputs.size(), 2u);
}

}  // namespace
}  // namespace tamis
