// fold_batch_norm, fold_gemm_scale and fold_scale_shift: what goes into a weight.
#include "src/passes/test_graph.h"

namespace tamis {
namespace {

const std::vector<Pass> kBatchNorm = {{"fold_batch_norm", FoldBatchNorm}};
const std::vector<Pass> kGemmScale = {{"fold_gemm_scale", FoldGemmScale}};
const std::vector<Pass> kScaleShift = {{"fold_scale_shift", FoldScaleShift}};

ValueId BatchNorm(TestGraph& t, ValueId x, int64_t channels) {
  return t.Op(
      "BatchNormalization",
      {x, t.Weight({channels}, 0.5f, 2), t.Weight({channels}), t.Weight({channels}), t.Weight({channels}, 0.2f, 3)},
      {{"epsilon", 1e-3f}});
}

TEST(FoldBatchNorm, IntoConvolutions) {
  TestGraph t;
  const ValueId x = t.Input("x", {Dim::Symbol("n"), 4, 6, 5});
  const ValueId grouped = t.Op("Conv", {x, t.Weight({6, 2, 3, 3}), t.Weight({6})}, {{"group", int64_t{2}}});
  const ValueId transposed =
      t.Op("ConvTranspose", {BatchNorm(t, grouped, 6), t.Weight({6, 2, 3, 3})}, {{"group", int64_t{3}}});
  t.Output(BatchNorm(t, transposed, 6));
  const Graph after = RewriteAndCompare(t.graph, kBatchNorm, {{"x", RandomTensor({2, 4, 6, 5}, 1)}});
  EXPECT_EQ(CountOps(after), (std::map<std::string, int>{{"Conv", 1}, {"ConvTranspose", 1}}));
  EXPECT_EQ(after.value(after.node(0).inputs[1]).name, "weight1") << "weights keep their names";
}

TEST(FoldBatchNorm, IntoThePartsOfAConcat) {
  TestGraph t;
  const ValueId x = t.Input("x", {Dim::Symbol("n"), 4, 6, 5});
  const ValueId a = t.Op("Conv", {x, t.Weight({6, 4, 1, 1}), t.Weight({6})}),
                b = t.Op("Conv", {x, t.Weight({3, 4, 1, 1})});
  const auto join = [&](std::vector<ValueId> parts) {
    return t.Op("Concat", std::move(parts), {{"axis", int64_t{1}}});
  };
  t.Output(BatchNorm(t, join({a, b}), 9));
  t.Output(BatchNorm(t, join({x, t.Op("Conv", {x, t.Weight({3, 4, 1, 1})})}), 7));  // x takes no factors
  const Graph after = RewriteAndCompare(t.graph, kBatchNorm, {{"x", RandomTensor({2, 4, 6, 5}, 3)}});
  EXPECT_EQ(CountOps(after), (std::map<std::string, int>{{"Conv", 3}, {"Concat", 2}, {"BatchNormalization", 1}}));
}

TEST(FoldBatchNorm, IntoProducts) {
  TestGraph t;
  const ValueId x = t.Input("x", {Dim::Symbol("n"), 4});
  const ValueId gemm = t.Op("Gemm", {x, t.Weight({6, 4}), t.Weight({6})}, {{"transB", int64_t{1}}});
  const ValueId product = t.Op("MatMul", {BatchNorm(t, gemm, 6), t.Weight({6, 3})});
  t.Output(BatchNorm(t, product, 3));
  const Graph after = RewriteAndCompare(t.graph, kBatchNorm, {{"x", RandomTensor({5, 4}, 2)}});
  EXPECT_EQ(CountOps(after), (std::map<std::string, int>{{"Gemm", 1}, {"MatMul", 1}, {"Add", 1}}));
}

TEST(FoldBatchNorm, ThroughViewsThatKeepTheChannels) {
  TestGraph t;
  const Dim n = Dim::Symbol("n");
  const ValueId x = t.Input("x", {n, 5, 4});
  const ValueId flat = t.Op("Flatten", {t.Op("MatMul", {x, t.Weight({4, 6})})}, {{"axis", int64_t{2}}});
  const ValueId tokens = t.Op("Reshape", {BatchNorm(t, flat, 6), t.Ints({-1, 5, 6})});
  const ValueId product = t.Op("Add", {t.Op("MatMul", {tokens, t.Weight({6, 3})}), t.Weight({3})});
  const ValueId turned =
      t.Op("Transpose", {t.Op("MatMul", {product, t.Weight({3, 7})})}, {{"perm", std::vector<int64_t>{0, 2, 1}}});
  t.Output(BatchNorm(t, turned, 7));
  const Graph after = RewriteAndCompare(t.graph, kBatchNorm, {{"x", RandomTensor({2, 5, 4}, 2)}});
  EXPECT_EQ(CountOps(after)["BatchNormalization"], 0);
}

TEST(FoldBatchNorm, NotThroughViewsThatMixTheChannels) {
  TestGraph t;
  const ValueId x = t.Input("x", {2, 6, 4});
  const ValueId mixed = t.Op("Reshape", {t.Op("MatMul", {x, t.Weight({4, 6})}), t.Ints({2, 12, 3})});
  const ValueId swapped = t.Op("MatMul", {x, t.Weight({4, 6})});  // the six rows are normalised, not the six columns
  t.Output(BatchNorm(t, mixed, 12));
  t.Output(BatchNorm(t, swapped, 6));
  const ValueId flat = t.Op("Flatten", {t.Op("MatMul", {x, t.Weight({4, 6})})}, {{"axis", int64_t{2}}});
  t.Output(t.Op("Add", {BatchNorm(t, flat, 6), flat}));  // read again
  const Graph after = RewriteAndCompare(t.graph, kBatchNorm, {{"x", RandomTensor({2, 6, 4}, 3)}});
  EXPECT_EQ(CountOps(after)["BatchNormalization"], 3);
}

TEST(FoldBatchNorm, SharedWeightStaysForItsOtherReader) {
  TestGraph t;
  const ValueId x = t.Input("x", {1, 3, 5, 5});
  const ValueId w = t.Weight({3, 3, 1, 1});
  const ValueId first = t.Op("Conv", {x, w});
  t.Output(t.Op("Conv", {BatchNorm(t, first, 3), w}));
  const Graph after = RewriteAndCompare(t.graph, kBatchNorm, {{"x", RandomTensor({1, 3, 5, 5}, 3)}});
  EXPECT_EQ(CountOps(after), (std::map<std::string, int>{{"Conv", 2}}));
}

TEST(FoldBatchNorm, NotWhereTheInputIsReadTwice) {
  TestGraph t;
  const ValueId x = t.Input("x", {1, 3, 5, 5});
  const ValueId conv = t.Op("Conv", {x, t.Weight({3, 3, 1, 1})});
  t.Output(t.Op("Add", {BatchNorm(t, conv, 3), conv}));
  const Graph after = RewriteAndCompare(t.graph, kBatchNorm, {{"x", RandomTensor({1, 3, 5, 5}, 4)}});
  EXPECT_EQ(CountOps(after)["BatchNormalization"], 1);
}

TEST(FoldGemmScale, AlphaAndBeta) {
  TestGraph t;
  const ValueId x = t.Input("x", {3, 4});
  const ValueId w = t.Weight({4, 5});
  t.Output(t.Op("Gemm", {x, w, t.Weight({5})}, {{"alpha", 0.5f}, {"beta", 2.0f}}));
  t.Output(t.Op("Gemm", {x, w, t.Input("c", {3, 5})}, {{"alpha", 3.0f}, {"beta", 2.0f}}));
  const Feeds feeds = {{"x", RandomTensor({3, 4}, 1)}, {"c", RandomTensor({3, 5}, 2)}};
  const Graph after = RewriteAndCompare(t.graph, kGemmScale, feeds);
  EXPECT_EQ(after.node(0).Float("alpha", 1), 1);
  EXPECT_EQ(after.node(0).Float("beta", 1), 1);
  EXPECT_EQ(after.node(1).Float("alpha", 1), 1);
  EXPECT_EQ(after.node(1).Float("beta", 1), 2) << "a computed addend can't be scaled beforehand";
}

TEST(FoldScaleShift, PerChannelAndScalar) {
  TestGraph t;
  ValueId x = t.Input("x", {Dim::Symbol("n"), 3, 5, 5});
  x = t.Op("Conv", {x, t.Weight({4, 3, 3, 3})});
  x = t.Op("Mul", {t.Weight({1, 4, 1, 1}), x});
  x = t.Op("Add", {x, t.Weight({4, 1, 1})});
  x = t.Op("Div", {x, t.Scalar(2)});
  t.Output(t.Op("Sub", {x, t.Scalar(1)}));
  const Graph after = RewriteAndCompare(t.graph, kScaleShift, {{"x", RandomTensor({2, 3, 5, 5}, 1)}});
  EXPECT_EQ(CountOps(after), (std::map<std::string, int>{{"Conv", 1}}));
}

TEST(FoldScaleShift, NotOtherAxesNorSharedWeights) {
  TestGraph t;
  const ValueId x = t.Input("x", {1, 4, 4, 4});
  const ValueId w = t.Weight({4, 4, 1, 1});
  t.Output(t.Op("Mul", {t.Op("Conv", {x, w}), t.Scalar(3)}));
  t.Output(t.Op("Conv", {x, w}));
  t.Output(t.Op("Mul", {t.Op("Conv", {x, t.Weight({4, 4, 1, 1})}), t.Weight({4})}));  // along the last axis
  const Graph after = RewriteAndCompare(t.graph, kScaleShift, {{"x", RandomTensor({1, 4, 4, 4}, 2)}});
  EXPECT_EQ(CountOps(after)["Mul"], 2);
}

}  // namespace
}  // namespace tamis
