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

// As PyTorch writes as_strided: image [b, c, 1, 1] flattened, places b * stride + c computed, looked up.
ValueId LookedUp(TestGraph& t, ValueId image, ValueId batch, int64_t stride, std::vector<int64_t> channels) {
  const auto count = static_cast<int64_t>(channels.size());
  const ValueId rows = t.Op("Mul", {t.Op("Range", {t.Index(0), batch, t.Index(1)}), t.Index(stride)});
  const ValueId columns =
      t.graph.AddConstant(t.graph.FreshName("columns"), Tensor::Int64s(channels).Reshaped({1, count, 1, 1}));
  const ValueId places = t.Op("Add", {t.Op("Unsqueeze", {rows, t.Ints({1, 2, 3})}), columns});
  return t.Op("Gather", {t.Op("Reshape", {image, t.Ints({-1})}), places});
}

TEST(SimplifyShapes, LookupOfAllInOrderIsAView) {
  TestGraph t;
  const ValueId x = t.Input("x", {Dim::Symbol("b"), 6, 1, 1});
  const ValueId batch = t.Op("Gather", {t.Op("Shape", {x}), t.Index(0)});
  t.Output(t.Op("Relu", {LookedUp(t, x, batch, 6, {0, 1, 2, 3, 4, 5})}));
  const ValueId y = t.Op("Reshape", {x, t.Ints({-1, 2, 3})});
  t.Output(t.Op("Neg", {LookedUp(t, y, batch, 6, {0, 1, 2, 3, 4, 5})}));
  const Graph after = RewriteAndCompare(t.graph, kShapes, {{"x", RandomTensor({3, 6, 1, 1}, 4)}}, 0);
  auto counts = CountOps(after);
  EXPECT_EQ(counts["Gather"] + counts["Range"], 0);
  EXPECT_EQ(counts["Reshape"], 2);  // to y and back
}

TEST(SimplifyShapes, OtherLookupsStay) {
  TestGraph t;
  const ValueId x = t.Input("x", {Dim::Symbol("b"), 6, 1, 1});
  const ValueId batch = t.Op("Gather", {t.Op("Shape", {x}), t.Index(0)});
  t.Output(LookedUp(t, x, batch, 6, {0, 1, 2, 4, 3, 5}));
  t.Output(LookedUp(t, x, batch, 5, {0, 1, 2, 3, 4, 5}));  // rows that overlap
  t.Output(LookedUp(t, x, batch, 6, {1, 2, 3, 4, 5}));     // five of six
  const Graph after = RewriteAndCompare(t.graph, kShapes, {{"x", RandomTensor({3, 6, 1, 1}, 5)}}, 0);
  EXPECT_EQ(CountOps(after)["Range"], 3);
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
