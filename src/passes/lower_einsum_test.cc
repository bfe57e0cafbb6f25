#include "src/passes/test_graph.h"

namespace tamis {
namespace {

const std::vector<Pass> kPasses = {{"lower_einsum", LowerEinsum}};

// Operators after the pass, whose results are compared with those before it.
std::map<std::string, int> Lower(const std::string& equation, Shape left, Shape right, Dims left_dims,
                                 Dims right_dims) {
  TestGraph t;
  const ValueId a = t.Input("a", std::move(left)), b = t.Input("b", std::move(right));
  t.Output(t.Op("Einsum", {a, b}, {{"equation", equation}}));
  const Feeds feeds = {{"a", RandomTensor(std::move(left_dims), 1)}, {"b", RandomTensor(std::move(right_dims), 2)}};
  return CountOps(RewriteAndCompare(t.graph, kPasses, feeds, 1e-6));
}

using Counts = std::map<std::string, int>;

TEST(LowerEinsum, AttentionScoresAndValues) {
  const Dim b = Dim::Symbol("b"), s = Dim::Symbol("s");
  EXPECT_EQ(Lower("bhid,bhjd->bhij", {b, 4, s, 8}, {b, 4, s, 8}, {2, 4, 5, 8}, {2, 4, 5, 8}),
            (Counts{{"Transpose", 1}, {"MatMul", 1}}));
  EXPECT_EQ(Lower("bhij,bhjd->bihd", {b, 4, s, s}, {b, 4, s, 8}, {2, 4, 5, 5}, {2, 4, 5, 8}),
            (Counts{{"MatMul", 1}, {"Transpose", 1}}));
  EXPECT_EQ(Lower("...ij,...jk", {b, 2, 3}, {b, 3, 4}, {5, 2, 3}, {5, 3, 4}), (Counts{{"MatMul", 1}}));
}

TEST(LowerEinsum, SeveralAxesInOnePart) {
  const Dim b = Dim::Symbol("b");
  EXPECT_EQ(Lower("thd,hdo->to", {b, 4, 5}, {4, 5, 6}, {3, 4, 5}, {4, 5, 6}), (Counts{{"Reshape", 2}, {"MatMul", 1}}));
  EXPECT_EQ(Lower("ik,jkl->jil", {2, 3}, {4, 3, 5}, {2, 3}, {4, 3, 5}).count("Einsum"), 0u);
  EXPECT_EQ(Lower("bi,bi->b", {b, 7}, {b, 7}, {3, 7}, {3, 7}).count("Einsum"), 0u);
}

TEST(LowerEinsum, DynamicAxesThatNeedNotBeOne) {
  const Dim b = Dim::Symbol("b"), t = Dim::Symbol("t"), u = Dim::Symbol("u");
  EXPECT_EQ(Lower("bthd,hdo->bto", {b, t, 4, 5}, {4, 5, 6}, {2, 3, 4, 5}, {4, 5, 6}),
            (Counts{{"Reshape", 2}, {"MatMul", 1}}));
  EXPECT_EQ(Lower("ibh,hnd->ibnd", {t, b, 6}, {6, 4, 5}, {3, 2, 6}, {6, 4, 5}),
            (Counts{{"Reshape", 2}, {"MatMul", 1}}));
  EXPECT_EQ(Lower("hnd,ibh->ibnd", {6, 4, 5}, {t, b, 6}, {6, 4, 5}, {3, 2, 6}),
            (Counts{{"Reshape", 2}, {"MatMul", 1}}));
  EXPECT_EQ(Lower("binh,tnh->bnit", {b, t, 4, 8}, {7, 4, 8}, {2, 3, 4, 8}, {7, 4, 8}),
            (Counts{{"Transpose", 2}, {"MatMul", 1}}));  // the right term is repeated along b
  // Nothing says that the sizes of one label are the same, but a product needs no proof.
  EXPECT_EQ(Lower("ibnd,jbnd->bnij", {t, b, 4, 8}, {u, Dim::Symbol("c"), 4, 8}, {3, 2, 4, 8}, {5, 2, 4, 8}),
            (Counts{{"Transpose", 2}, {"MatMul", 1}}));
}

TEST(LowerEinsum, WhatIsNoProductOfMatrices) {
  EXPECT_EQ(Lower("ij,jk->k", {2, 3}, {3, 4}, {2, 3}, {3, 4}),
            (Counts{{"ReduceSum", 1}, {"Reshape", 2}, {"MatMul", 1}}));
  EXPECT_EQ(Lower("i,j->ij", {2}, {3}, {2}, {3}), (Counts{{"Unsqueeze", 1}, {"Mul", 1}}));
  EXPECT_EQ(Lower("bic,bjc->bjic", {2, 3, 4}, {2, 5, 4}, {2, 3, 4}, {2, 5, 4}).count("Einsum"), 0u);
  EXPECT_EQ(Lower("bij,bjk->bik", {1, 2, 3}, {4, 3, 5}, {1, 2, 3}, {4, 3, 5}), (Counts{{"MatMul", 1}}));
  EXPECT_EQ(Lower("ii,ij->j", {3, 3}, {3, 4}, {3, 3}, {3, 4}), (Counts{{"Einsum", 1}}));
  EXPECT_EQ(Lower("ij,jk->ik", {2, 1}, {3, 4}, {2, 1}, {3, 4}), (Counts{{"Einsum", 1}}))
      << "a sum of repeated elements";
}

TEST(LowerEinsum, OneOperandAndThree) {
  TestGraph t;
  const Dim b = Dim::Symbol("b");
  const ValueId x = t.Input("x", {3, b, 4}), y = t.Input("y", {4, 5}), z = t.Input("z", {b, 5});
  const auto einsum = [&t](const std::string& equation, const std::vector<ValueId>& operands) {
    return t.Op("Einsum", operands, {{"equation", equation}});
  };
  const ValueId turned = einsum("ijk->jki", {x});
  t.Output(turned);
  t.Output(einsum("ijk->kj", {x}));
  t.Output(einsum("bjc,jo,bo->bc", {turned, y, z}));
  const Feeds feeds = {
      {"x", RandomTensor({3, 2, 4}, 1)}, {"y", RandomTensor({4, 5}, 2)}, {"z", RandomTensor({2, 5}, 3)}};
  EXPECT_EQ(CountOps(RewriteAndCompare(t.graph, kPasses, feeds, 1e-6)).count("Einsum"), 0u);
}

}  // namespace
}  // namespace tamis
