// Operators that name their axes, hold heads or recur.
#include "src/compiler/permute/permute_test_shuffle.h"

namespace tamis {
namespace {

ValueId Einsum(TestGraph& g, const std::string& equation, ValueId a, ValueId b) {
  return g.Op("Einsum", {a, b}, {{"equation", equation}});
}

ValueId Dense(TestGraph& g, ValueId x, int64_t in, int64_t out) {
  return g.Op("Add", {g.Op("MatMul", {x, g.Weight({in, out})}), g.Weight({out})});
}

// Projections to heads and back, scores and sums, as JAX's exporters write them.
TEST(PermuteRules, EinsumAttention) {
  TestGraph g;
  const ValueId x = Dense(g, g.Input("x", {2, 5, 3}), 3, 8);
  const ValueId q = Einsum(g, "bsd,dhk->bshk", x, g.Weight({8, 2, 6}));
  const ValueId k = Einsum(g, "dhk,btd->bhtk", g.Weight({8, 2, 6}), x);
  const ValueId v = Einsum(g, "bsd,dhk->bshk", x, g.Weight({8, 2, 5}));
  const ValueId scores = g.Op("Softmax", {Einsum(g, "bshk,bhtk->bhst", q, k)}, {{"axis", int64_t{-1}}});
  const ValueId mixed = Einsum(g, "bhst,bthk->bshk", scores, v);
  const ValueId sum = g.Op("Add", {x, Einsum(g, "bshk,hkd->bsd", mixed, g.Weight({2, 5, 8}))});
  g.Output(g.Op("ReduceMean", {sum}, {{"axes", std::vector<int64_t>{2}}}));
  // The stream, and in each of two heads queries with keys, and values.
  EXPECT_EQ(ShuffleAndCompare(g.graph), (Sizes{{5, 2}, {6, 2}, {8, 1}}));
}

TEST(PermuteRules, EinsumThatKeepsALetterOfBothTellsItsPlacesApart) {
  TestGraph g;
  const ValueId x = g.Op("Reshape", {Dense(g, g.Input("x", {2, 5, 3}), 3, 12), g.Ints({2, 5, 2, 6})});
  const ValueId experts = Einsum(g, "bshk,hkd->bshd", x, g.Weight({2, 6, 4}));  // summed within each of two heads
  g.Output(g.Op("ReduceSum", {experts, g.Ints({3})}));
  EXPECT_EQ(ShuffleAndCompare(g.graph), (Sizes{{4, 1}}));
}

TEST(PermuteRules, EinsumOfADiagonalHoldsChannels) {
  TestGraph g;
  const ValueId x = Dense(g, g.Input("x", {2, 6, 3}), 3, 6);
  g.Output(Einsum(g, "bii,io->bo", x, g.Weight({6, 4})));
  EXPECT_EQ(ShuffleAndCompare(g.graph), Sizes());
}

TEST(PermuteRules, RecurrentLayers) {
  for (const auto& [op, gates] : {std::pair<std::string, int64_t>{"LSTM", 4}, {"GRU", 3}, {"RNN", 1}}) {
    for (const int64_t directions : {1, 2}) {
      SCOPED_TRACE(op + " in " + std::to_string(directions));
      TestGraph g;
      const ValueId x = Dense(g, g.Input("x", {4, 2, 3}), 3, 8);
      std::vector<ValueId> inputs = {x, g.Weight({directions, gates * 6, 8}), g.Weight({directions, gates * 6, 6}),
                                     g.Weight({directions, 2 * gates * 6})};
      inputs.insert(inputs.end(), {kNoValue, g.Weight({directions, 2, 6})});
      if (op == "LSTM") inputs.insert(inputs.end(), {g.Weight({directions, 2, 6}), g.Weight({directions, 18})});
      Attributes attributes = {{"hidden_size", int64_t{6}}};
      if (directions == 2) attributes["direction"] = std::string("bidirectional");
      const ValueId all = g.Op(op, inputs, attributes);
      const ValueId flat = g.Op("Reshape", {g.Op("Transpose", {all}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}}),
                                            g.Ints({4, 2, directions * 6})});
      g.Output(g.Op("ReduceMax", {Dense(g, flat, directions * 6, 5)}, {{"axes", std::vector<int64_t>{2}}}));
      // What the layer reads, the hidden channels of each direction, and what is reduced.
      Sizes sizes = {{5, 1}, {8, 1}};
      sizes[6] = static_cast<int>(directions);
      EXPECT_EQ(ShuffleAndCompare(g.graph), sizes);
    }
  }
}

TEST(PermuteRules, RecurrentStatesThatComeFromOutsideHoldTheHiddenChannels) {
  TestGraph g;
  const ValueId x = Dense(g, g.Input("x", {4, 2, 3}), 3, 8);
  const ValueId state = g.Input("state", {1, 2, 6});
  const auto outputs = g.Ops("GRU", {x, g.Weight({1, 18, 8}), g.Weight({1, 18, 6}), kNoValue, kNoValue, state}, 2,
                             {{"hidden_size", int64_t{6}}});
  g.Output(outputs[1]);
  EXPECT_EQ(ShuffleAndCompare(g.graph), (Sizes{{8, 1}}));
}

// Two heads of keys and values serve four of queries, in both layouts.
TEST(PermuteRules, AttentionOfOnnx) {
  for (const bool packed : {true, false}) {
    SCOPED_TRACE(packed);
    TestGraph g(23);
    const ValueId x = Dense(g, g.Input("x", {2, 5, 3}), 3, 8);
    const auto heads = [&](int64_t count, int64_t width) {
      const ValueId flat = Dense(g, x, 8, count * width);
      if (packed) return flat;
      return g.Op("Transpose", {g.Op("Reshape", {flat, g.Ints({0, 0, count, width})})},
                  {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
    };
    Attributes attributes = {{"is_causal", int64_t{1}}};
    if (packed) {
      attributes["q_num_heads"] = int64_t{4};
      attributes["kv_num_heads"] = int64_t{2};
    }
    ValueId mixed = g.Op("Attention", {heads(4, 6), heads(2, 6), heads(2, 5)}, attributes);
    if (!packed) {
      mixed = g.Op("Reshape",
                   {g.Op("Transpose", {mixed}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}}), g.Ints({0, 0, 20})});
    }
    g.Output(g.Op("ReduceMean", {g.Op("Add", {x, Dense(g, mixed, 20, 8)}), g.Ints({2})}));
    EXPECT_EQ(ShuffleAndCompare(g.graph), (Sizes{{5, 2}, {6, 2}, {8, 1}}));
  }
}

// The stream is the output, and is read: a lookup behind it puts its channels back.
TEST(PermuteRules, OutputsAreTurnedBack) {
  TestGraph g;
  const ValueId x = Dense(g, g.Input("x", {Dim::Symbol("batch"), 3}), 3, 8);
  const ValueId sum = g.Op("Add", {x, Dense(g, g.Op("Relu", {Dense(g, x, 8, 12)}), 12, 8)});
  g.Output(sum);
  EXPECT_EQ(ShuffleAndCompare(g.graph), (Sizes{{8, 1}, {12, 1}}));
  g.graph.outputs.push_back(g.Op("Transpose", {x}));  // another one, along another axis
  EXPECT_EQ(ShuffleAndCompare(g.graph), (Sizes{{8, 1}, {12, 1}}));
}

TEST(PermuteRules, OutputsAlongSeveralAxesStay) {
  TestGraph g;
  const ValueId x = Dense(g, g.Input("x", {2, 5, 3}), 3, 8);
  g.graph.outputs.push_back(g.Op("Reshape", {x, g.Ints({0, 0, 2, 4})}));
  g.Output(g.Op("ReduceMean", {Dense(g, x, 8, 6)}, {{"axes", std::vector<int64_t>{2}}}));
  EXPECT_EQ(ShuffleAndCompare(g.graph), (Sizes{{6, 1}}));
}

}  // namespace
}  // namespace tamis
