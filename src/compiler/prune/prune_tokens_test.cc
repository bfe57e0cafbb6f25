#include "src/compiler/prune/prune_tokens.h"

#include <gtest/gtest.h>

#include "src/compiler/prune/prune_test_graphs.h"

namespace tamis {
namespace {

TEST(PruneTokens, NetworksThatPoolAnswerOnce) {
  GraphPair network;
  const Dim batch = Dim::Symbol("batch"), tokens = Dim::Symbol("seq");
  network.Input("x", DType::kFloat32, {batch, tokens, Dim(8)});
  network.Input("mask", DType::kInt64, {batch, tokens});
  Append(network.fused, "MaskedMean", kTamisDomain, {"x", "mask"}, "mean", {{"epsilon", 1e-9F}});
  network.fused.outputs = {ValueNamed(network.fused, "mean")};
  ASSERT_TRUE(InferShapes(network.fused).ok());
  const std::optional<TokenMask> mask = FindTokenMask(network.fused);
  ASSERT_TRUE(mask.has_value());
  EXPECT_TRUE(AnswersOnce(network.fused, *mask));
  network.fused.outputs.push_back(ValueNamed(network.fused, "x"));
  EXPECT_FALSE(AnswersOnce(network.fused, *mask));
}

TEST(PruneTokens, SharesOfASampleSumToOne) {
  const TokenFlags flags = {3, 4, {1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0}};
  EXPECT_EQ(EvenShares(flags), (std::vector<float>{0.5F, 0.25F, 1}));
}

}  // namespace
}  // namespace tamis
