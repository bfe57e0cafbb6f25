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
  EXPECT_EQ(Lower("bthd,hdo->bto", {b, 3, 4, 5}, {4, 5, 6}, {2, 3, 4, 5}, {4, 5, 6}).at("Einsum"), 1);  // b, t dynamic
  EXPECT_EQ(Lower("thd,hdo->to", {b, 4, 5}, {4, 5, 6}, {3, 4, 5}, {4, 5, 6}), (Counts{{"Reshape", 3}, {"MatMul", 1}}));
  EXPECT_EQ(Lower("ik,jkl->jil", {2, 3}, {4, 3, 5}, {2, 3}, {4, 3, 5}).count("Einsum"), 0u);
  EXPECT_EQ(Lower("bi,bi->b", {b, 7}, {b, 7}, {3, 7}, {3, 7}).count("Einsum"), 0u);
}

TEST(LowerEinsum, WhatIsNoProductOfMatricesStays) {
  EXPECT_EQ(Lower("ii,ij->j", {3, 3}, {3, 4}, {3, 3}, {3, 4}), (Counts{{"Einsum", 1}}));
  EXPECT_EQ(Lower("ij,jk->k", {2, 3}, {3, 4}, {2, 3}, {3, 4}), (Counts{{"Einsum", 1}}));
  EXPECT_EQ(Lower("i,j->ij", {2}, {3}, {2}, {3}), (Counts{{"Einsum", 1}}));
  EXPECT_EQ(Lower("bij,bjk->bik", {1, 2, 3}, {4, 3, 5}, {1, 2, 3}, {4, 3, 5}), (Counts{{"Einsum", 1}}));
}

}  // namespace
}  // namespace tamis
