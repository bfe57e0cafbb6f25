#include "src/passes/test_graph.h"

namespace tamis {
namespace {

const std::vector<Pass> kPasses = {{"make_linear", MakeLinear},
                                   {"recognize_activations", RecognizeActivations},
                                   {"split_products", SplitProducts},
                                   {"fuse_epilogue", FuseEpilogue},
                                   {"remove_dead", RemoveDead}};
using Counts = std::map<std::string, int>;

struct Gated {
  TestGraph t;
  ValueId x = t.Input("x", {Dim::Symbol("n"), 8});
  std::vector<ValueId> Halves(ValueId product, Attributes attributes = {{"axis", int64_t{-1}}}) {
    return t.Ops("Split", {product}, 2, std::move(attributes));
  }
  ValueId Product() { return t.Op("Add", {t.Op("MatMul", {x, t.Weight({8, 12})}), t.Weight({12})}); }
  ValueId Gate(const std::vector<ValueId>& halves) {
    return t.Op("Mul", {t.Op("Mul", {halves[0], t.Op("Sigmoid", {halves[0]})}), halves[1]});
  }
  Counts Run(ValueId y) {
    t.Output(y);
    after = RewriteAndCompare(t.graph, kPasses, {{"x", RandomTensor({4, 8}, 1)}});
    return CountOps(after);
  }
  Graph after;
};

TEST(SplitProducts, GateAndUpInOneWeight) {
  Gated g;
  EXPECT_EQ(g.Run(g.Gate(g.Halves(g.Product()))), (Counts{{"tamis.Linear", 2}, {"Mul", 1}}));
  int activated = 0;
  for (NodeId id : g.after.NodeIds()) activated += g.after.node(id).String("activation", "") == "Silu";
  EXPECT_EQ(activated, 1);
}

TEST(SplitProducts, WhatStaysWhole) {
  Gated read;  // somebody reads the whole
  const ValueId whole = read.Product();
  read.t.Output(read.t.Op("Exp", {whole}));
  EXPECT_EQ(read.Run(read.Gate(read.Halves(whole))).at("Split"), 1);
  Gated unequal;
  const auto parts = unequal.t.Ops("Split", {unequal.Product(), unequal.t.Ints({4, 8})}, 2, {{"axis", int64_t{1}}});
  unequal.t.Output(parts[0]);
  EXPECT_EQ(unequal.Run(unequal.t.Op("Exp", {parts[1]})).at("Split"), 1);
  Gated rows;  // along the other axis
  rows.x = rows.t.Input("rows", {4, 8});
  const auto halves = rows.Halves(rows.Product(), {{"axis", int64_t{0}}});
  rows.t.Output(rows.t.Op("Mul", {halves[0], halves[1]}));
  const Graph after =
      RewriteAndCompare(rows.t.graph, kPasses, {{"x", RandomTensor({4, 8}, 1)}, {"rows", RandomTensor({4, 8}, 2)}});
  EXPECT_EQ(CountOps(after).at("Split"), 1);
}

}  // namespace
}  // namespace tamis
