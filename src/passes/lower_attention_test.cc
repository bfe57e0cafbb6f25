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

TEST(LowerAttention, CapsAndWindows) {
  for (const bool cached : {false, true}) {
    SCOPED_TRACE(cached);
    TestGraph t(25);
    const Dim past = Dim::Symbol("p"), s = Dim::Symbol("s");
    const ValueId q = t.Input("q", {1, 2, s, 4}), k = t.Input("k", {1, 2, s, 4});
    const ValueId past_k = t.Input("past_k", {1, 2, past, 4});
    const std::vector<ValueId> inputs = cached ? std::vector{q, k, k, kNoValue, past_k, past_k} : std::vector{q, k, k};
    const ValueId y = t.Op("Attention", inputs,
                           {{"softcap", 2.0f}, {"left_window_size", int64_t{1}}, {"right_window_size", int64_t{2}}});
    t.Output(y);
    const Feeds feeds = {{"q", RandomTensor({1, 2, 6, 4}, 1, -3, 3)},
                         {"k", RandomTensor({1, 2, 6, 4}, 2, -3, 3)},
                         {"past_k", RandomTensor({1, 2, 5, 4}, 3)}};
    const Graph after = RewriteAndCompare(t.graph, kPasses, feeds, 1e-6);
    for (NodeId id : after.NodeIds()) {
      const Node& node = after.node(id);
      if (!node.IsTamis("Attention")) continue;
      EXPECT_EQ(node.Int("from_end", 0), cached);
      EXPECT_EQ(node.Int("window_offset", 0), -1);
      EXPECT_EQ(node.Int("causal_offset", 0), 2);
      EXPECT_EQ(node.Float("softcap", 0), 2);
    }
    EXPECT_EQ(CountOps(after)["tamis.Attention"], 1);
    EXPECT_EQ(CountOps(after)["Attention"], 0);
  }
}

TEST(LowerAttention, PartlyFilledCaches) {
  TestGraph t(25);
  const ValueId q = t.Input("q", {2, 4, 12}), k = t.Input("k", {2, 9, 12});
  const ValueId filled = t.Input("filled", {2}, DType::kInt64);
  const ValueId y = t.Op("Attention", {q, k, k, kNoValue, kNoValue, kNoValue, filled},
                         {{"q_num_heads", int64_t{3}}, {"kv_num_heads", int64_t{3}}, {"is_causal", int64_t{1}}});
  const auto counts = Lower(t, {y},
                            {{"q", RandomTensor({2, 4, 12}, 1)},
                             {"k", RandomTensor({2, 9, 12}, 2)},
                             {"filled", Tensor::Int64s(std::vector<int64_t>{3, 9})}});  // one query sees nothing
  EXPECT_EQ(counts.at("tamis.Attention"), 1);
  EXPECT_EQ(counts.count("Attention"), 0u);
}

TEST(LowerAttention, ShownScoresAreMadeOfTheirParts) {
  for (int64_t mode = 0; mode < 4; ++mode) {
    SCOPED_TRACE(mode);
    TestGraph t(25);
    const Dim b = Dim::Symbol("b"), s = Dim::Symbol("s");
    const ValueId q = t.Input("q", {b, s, 16}), k = t.Input("k", {b, s, 8}), v = t.Input("v", {b, s, 12});
    const auto outputs = t.Ops("Attention", {q, k, v, kNoValue, kNoValue, kNoValue}, 4,
                               {{"q_num_heads", int64_t{4}},
                                {"kv_num_heads", int64_t{2}},
                                {"softcap", 1.5f},
                                {"qk_matmul_output_mode", mode},
                                {"right_window_size", int64_t{mode == 2 ? -1 : 1}}});  // no infinite scores shown
    const auto counts = Lower(
        t, {outputs[0], outputs[1], outputs[3]},
        {{"q", RandomTensor({2, 5, 16}, 1)}, {"k", RandomTensor({2, 5, 8}, 2)}, {"v", RandomTensor({2, 5, 12}, 3)}});
    EXPECT_EQ(counts.count("Attention"), 0u);
    EXPECT_EQ(counts.count("tamis.Attention"), 0u);
    EXPECT_EQ(counts.at("MatMul"), 2);
  }
}

TEST(LowerAttention, MasksThatMayBeShorterThanTheKeysAreFilledUp) {
  for (const bool packed : {false, true}) {
    TestGraph t(25);
    const Dim s = Dim::Symbol("s"), m = Dim::Symbol("m");
    const ValueId q = packed ? t.Input("q", {1, s, 8}) : t.Input("q", {1, 2, s, 4});
    Attributes attributes;
    if (packed) attributes = {{"q_num_heads", int64_t{2}}, {"kv_num_heads", int64_t{2}}};
    const ValueId brief = t.Op("Attention", {q, q, q, t.Input("mask", {s, m}, DType::kBool)}, attributes);
    Tensor mask(DType::kBool, {3, 2});  // hides the last key
    for (int64_t i = 0; i < 6; ++i) mask.raw()[i] = std::byte{i != 2};
    const Tensor x = packed ? RandomTensor({1, 3, 8}, 1) : RandomTensor({1, 2, 3, 4}, 1);
    const auto counts = Lower(t, {brief}, {{"q", x}, {"mask", mask}});
    EXPECT_EQ(counts.at("tamis.Attention"), 1);
    EXPECT_EQ(counts.at("Pad"), 1);
  }
}

TEST(LowerAttention, WhatTheFusedOperatorLacksStays) {
  TestGraph t(25);
  const ValueId q = t.Input("q", {1, 2, 3, 4});
  const ValueId rounded = t.Op("Attention", {q, q, q}, {{"softmax_precision", int64_t{10}}});
  const auto counts = Lower(t, {rounded}, {{"q", RandomTensor({1, 2, 3, 4}, 1)}});
  EXPECT_EQ(counts, (std::map<std::string, int>{{"Attention", 1}}));
}

}  // namespace
}  // namespace tamis
