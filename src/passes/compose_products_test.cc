#include "src/passes/test_graph.h"

namespace tamis {
namespace {

using Ints = std::vector<int64_t>;

const std::vector<Pass> kPasses = {{"make_linear", MakeLinear},           {"make_channels_last", MakeChannelsLast},
                                   {"push_transposes", PushTransposes},   {"simplify_views", SimplifyViews},
                                   {"compose_products", ComposeProducts}, {"remove_dead", RemoveDead}};

int Products(const Graph& graph) {
  auto counts = CountOps(graph);
  return counts["tamis.Linear"] + counts["tamis.ChannelsLastConv"];
}

Graph Regrouped(const Graph& graph, const Feeds& feeds) {
  PassOptions options;
  options.regroup_layers = true;
  return RewriteAndCompare(graph, kPasses, feeds, 1e-5, options);
}

// Tokens projected, then seen as an image whose channels a convolution mixes.
TEST(ComposeProducts, AProjectionInFrontOfAConvolution) {
  for (const bool bias : {false, true}) {
    TestGraph t;
    const ValueId x = t.Input("x", {Dim::Symbol("n"), 12, 6});
    ValueId y = t.Op("MatMul", {x, t.Weight({6, 24})});
    if (bias) y = t.Op("Add", {y, t.Weight({24})});
    y = t.Op("Reshape", {t.Op("Transpose", {y}, {{"perm", Ints{0, 2, 1}}}), t.Ints({0, 24, 3, 4})});
    t.Output(t.Op("Relu", {t.Op("Conv", {y, t.Weight({16, 24, 1, 1})})}));
    EXPECT_EQ(Products(Regrouped(t.graph, {{"x", RandomTensor({2, 12, 6}, 1)}})), 1);
  }
}

TEST(ComposeProducts, ThreeInARow) {
  TestGraph t;
  ValueId y = t.Input("x", {5, 8});
  for (const Ints& dims : {Ints{8, 16}, Ints{16, 12}, Ints{12, 9}}) {
    y = t.Op("Add", {t.Op("MatMul", {y, t.Weight(dims)}), t.Weight({dims[1]})});
  }
  t.Output(y);
  EXPECT_EQ(Products(Regrouped(t.graph, {{"x", RandomTensor({5, 8}, 2)}})), 1);
}

TEST(ComposeProducts, LayersStayWhereTheyAreLookedFor) {
  TestGraph t;
  const ValueId x = t.Input("x", {5, 8});
  t.Output(t.Op("MatMul", {t.Op("MatMul", {x, t.Weight({8, 16})}), t.Weight({16, 8})}));
  EXPECT_EQ(Products(RewriteAndCompare(t.graph, kPasses, {{"x", RandomTensor({5, 8}, 4)}})), 2);
}

TEST(ComposeProducts, WhatStays) {
  TestGraph t;
  const ValueId x = t.Input("x", {5, 16});
  const auto product = [&](ValueId from, int64_t in, int64_t out) {
    return t.Op("MatMul", {from, t.Weight({in, out})});
  };
  t.Output(product(product(x, 16, 4), 4, 16));                   // narrower in the middle
  t.Output(product(t.Op("Relu", {product(x, 16, 32)}), 32, 8));  // not linear
  const ValueId shared = product(x, 16, 32);
  t.Output(product(shared, 32, 8));
  t.Output(shared);
  const ValueId pruned = t.Weight({16, 32});
  float* values = t.graph.value(pruned).constant->Data<float>();
  for (int i = 0; i < 16 * 32; i += 2) values[i] = 0;
  t.Output(product(t.Op("MatMul", {x, pruned}), 32, 8));
  EXPECT_EQ(Products(Regrouped(t.graph, {{"x", RandomTensor({5, 16}, 3)}})), 8);
}

}  // namespace
}  // namespace tamis
