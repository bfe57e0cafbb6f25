#include "src/passes/test_graph.h"

namespace tamis {
namespace {

const std::vector<Pass> kPasses = {{"lower_attention", LowerAttention}};

std::map<std::string, int> Lower(TestGraph& t, const std::vector<ValueId>& outputs, const Feeds& feeds) {
  for (ValueId output : outputs) t.Output(output);
  return CountOps(RewriteAndCompare(t.graph, kPasses, feeds, 1e-6));
}

TEST(LowerAttention, PackedHeadsThatShareKeys) {
  TestGraph t(24);
  const Dim b = Dim::Symbol("b"), s = Dim::Symbol("s");
  const ValueId q = t.Input("q", {b, s, 24}), k = t.Input("k", {b, s, 12}), v = t.Input("v", {b, s, 10});
  const ValueId y = t.Op("Attention", {q, k, v},
                         {{"q_num_heads", int64_t{4}}, {"kv_num_heads", int64_t{2}}, {"is_causal", int64_t{1}}});
  const auto counts = Lower(
      t, {y},
      {{"q", RandomTensor({2, 5, 24}, 1)}, {"k", RandomTensor({2, 5, 12}, 2)}, {"v", RandomTensor({2, 5, 10}, 3)}});
  EXPECT_EQ(counts, (std::map<std::string, int>{{"tamis.Attention", 1}}));
}

TEST(LowerAttention, HeadsApartWithAMaskThatHidesARow) {
  TestGraph t(24);
  const ValueId q = t.Input("q", {2, 3, 4, 8}), k = t.Input("k", {2, 3, 5, 8}), v = t.Input("v", {2, 3, 5, 6});
  const ValueId mask = t.Input("mask", {4, 5}, DType::kBool);
  const ValueId y = t.Op("Attention", {q, k, v, mask}, {{"scale", 0.3f}});
  Tensor shown(DType::kBool, {4, 5});
  for (int64_t i = 5; i < 20; ++i) shown.Data<uint8_t>()[i] = i % 3 != 0;  // nothing of the first row
  const auto counts = Lower(t, {y},
                            {{"q", RandomTensor({2, 3, 4, 8}, 1)},
                             {"k", RandomTensor({2, 3, 5, 8}, 2)},
                             {"v", RandomTensor({2, 3, 5, 6}, 3)},
                             {"mask", shown}});
  EXPECT_EQ(counts.at("tamis.Attention"), 1);
  EXPECT_EQ(counts.at("Where"), 1);
  EXPECT_EQ(counts.at("Transpose"), 1);
}

TEST(LowerAttention, ACacheIsAppendedTo) {
  TestGraph t(24);
  const Dim past = Dim::Symbol("p");
  const ValueId q = t.Input("q", {2, 1, 12}), k = t.Input("k", {2, 1, 12}), v = t.Input("v", {2, 1, 12});
  const ValueId past_k = t.Input("past_k", {2, 3, past, 4}), past_v = t.Input("past_v", {2, 3, past, 4});
  const auto outputs = t.Ops("Attention", {q, k, v, kNoValue, past_k, past_v}, 3,
                             {{"q_num_heads", int64_t{3}}, {"kv_num_heads", int64_t{3}}, {"is_causal", int64_t{1}}});
  const Feeds feeds = {{"q", RandomTensor({2, 1, 12}, 1)},
                       {"k", RandomTensor({2, 1, 12}, 2)},
                       {"v", RandomTensor({2, 1, 12}, 3)},
                       {"past_k", RandomTensor({2, 3, 6, 4}, 4)},
                       {"past_v", RandomTensor({2, 3, 6, 4}, 5)}};
  const auto counts = Lower(t, outputs, feeds);
  EXPECT_EQ(counts.at("Concat"), 2);
  EXPECT_EQ(counts.at("tamis.Attention"), 1);
}

TEST(LowerAttention, WhatTheFusedOperatorLacksStays) {
  TestGraph t(25);
  const ValueId q = t.Input("q", {1, 2, 3, 4});
  const ValueId capped = t.Op("Attention", {q, q, q}, {{"softcap", 2.0f}});
  const ValueId window = t.Op("Attention", {q, q, q}, {{"left_window_size", int64_t{1}}});
  const auto scores = t.Ops("Attention", {q, q, q, kNoValue, kNoValue, kNoValue}, 4);
  const auto counts = Lower(t, {capped, window, scores[0], scores[3]}, {{"q", RandomTensor({1, 2, 3, 4}, 1)}});
  EXPECT_EQ(counts.size(), 1u);
  EXPECT_EQ(counts.begin()->second, 3);
}

}  // namespace
}  // namespace tamis
