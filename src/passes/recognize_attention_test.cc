#include <limits>

#include "src/passes/test_graph.h"

namespace tamis {
namespace {

const std::vector<Pass> kPasses = {{"fold_constants", FoldConstants},
                                   {"simplify_shapes", SimplifyShapes},
                                   {"make_linear", MakeLinear},
                                   {"recognize_attention", RecognizeAttention},
                                   {"simplify_views", SimplifyViews}};
constexpr int64_t kHeads = 3, kHeadSize = 4, kWidth = kHeads * kHeadSize;
const std::vector<int64_t> kToHeads = {0, 2, 1, 3};

struct Block {
  TestGraph t;
  ValueId x = t.Input("x", {Dim::Symbol("b"), Dim::Symbol("s"), kWidth});

  ValueId Linear(ValueId from, int64_t out = kWidth) {
    const int64_t in = *t.graph.value(from).type.shape.back().Constant();
    return t.Op("Add", {t.Op("MatMul", {from, t.Weight({in, out})}), t.Weight({out})});
  }
  ValueId Transpose(ValueId from, std::vector<int64_t> perm) { return t.Op("Transpose", {from}, {{"perm", perm}}); }
  ValueId Heads(ValueId from) {
    return Transpose(t.Op("Reshape", {from, t.Ints({0, 0, kHeads, kHeadSize})}), kToHeads);
  }
  ValueId Softmax(ValueId scores) { return t.Op("Softmax", {scores}, {{"axis", int64_t{-1}}}); }
  ValueId Merge(ValueId context) { return t.Op("Reshape", {Transpose(context, kToHeads), t.Ints({0, 0, kWidth})}); }
  std::map<std::string, int> Run(ValueId output, Feeds feeds = {}, double tolerance = 1e-5) {
    t.Output(output);
    feeds["x"] = RandomTensor({2, 5, kWidth}, 9);
    after = RewriteAndCompare(t.graph, kPasses, feeds, tolerance);
    return CountOps(after);
  }
  const Node* Attention() const {
    for (NodeId id : after.NodeIds()) {
      if (after.node(id).IsTamis("Attention")) return &after.node(id);
    }
    return nullptr;
  }
  Graph after;
};

TEST(RecognizeAttention, ScaleOnScoresWithAddedMask) {
  Block b;
  TestGraph& t = b.t;
  const ValueId mask = t.Input("mask", {Dim::Symbol("b"), 1, 1, Dim::Symbol("s")});
  const ValueId q = b.Heads(b.Linear(b.x)), v = b.Heads(b.Linear(b.x));
  const ValueId k = b.Transpose(t.Op("Reshape", {b.Linear(b.x), t.Ints({0, 0, kHeads, kHeadSize})}), {0, 2, 3, 1});
  const ValueId scores = t.Op("Div", {t.Op("MatMul", {q, k}), t.Scalar(2)});
  const auto counts = b.Run(b.Merge(t.Op("MatMul", {b.Softmax(t.Op("Add", {mask, scores})), v})),
                            {{"mask", RandomTensor({2, 1, 1, 5}, 10, -3, 0)}});
  EXPECT_EQ(counts, (std::map<std::string, int>{{"tamis.Linear", 3}, {"tamis.Attention", 1}}));
  ASSERT_NE(b.Attention(), nullptr);
  EXPECT_EQ(b.Attention()->Int("num_heads", 0), kHeads);
  EXPECT_FLOAT_EQ(b.Attention()->Float("scale", 0), 0.5f);
  EXPECT_EQ(b.Attention()->inputs.size(), 4u);
}

TEST(RecognizeAttention, ScaleOnBothSides) {
  Block b;
  TestGraph& t = b.t;
  const ValueId q = t.Op("Mul", {b.Heads(b.Linear(b.x)), t.Scalar(0.5f)});
  const ValueId k = t.Op("Mul", {b.Transpose(b.Heads(b.Linear(b.x)), {0, 1, 3, 2}), t.Scalar(0.25f)});
  const auto counts = b.Run(b.Merge(t.Op("MatMul", {b.Softmax(t.Op("MatMul", {q, k})), b.Heads(b.Linear(b.x))})));
  EXPECT_EQ(counts, (std::map<std::string, int>{{"tamis.Linear", 3}, {"tamis.Attention", 1}}));
  EXPECT_FLOAT_EQ(b.Attention()->Float("scale", 0), 0.125f);
}

TEST(RecognizeAttention, MaskByWhere) {
  Block b;
  TestGraph& t = b.t;
  const ValueId keep = t.Op("Greater", {t.Input("m", {Dim::Symbol("b"), 1, 1, Dim::Symbol("s")}), t.Scalar(0)});
  const ValueId scores = t.Op("MatMul", {b.Heads(b.Linear(b.x)), b.Transpose(b.Heads(b.Linear(b.x)), {0, 1, 3, 2})});
  const ValueId masked = t.Op("Where", {keep, scores, t.Scalar(-3.4028235e38f)});
  Tensor m(DType::kFloat32, {2, 1, 1, 5});
  for (int i = 0; i < 10; ++i) m.Data<float>()[i] = i % 3 == 0 ? -1.0f : 1.0f;
  const auto counts = b.Run(b.Merge(t.Op("MatMul", {b.Softmax(masked), b.Heads(b.Linear(b.x))})), {{"m", m}});
  EXPECT_EQ(counts,
            (std::map<std::string, int>{{"tamis.Linear", 3}, {"tamis.Attention", 1}, {"Where", 1}, {"Greater", 1}}));
}

// DeBERTa: products of batch and heads in one axis, scores of positions added there; masked and normalised apart.
TEST(RecognizeAttention, JoinedHeadsWithScoresAdded) {
  Block b;
  TestGraph& t = b.t;
  const ValueId y = t.Input("y", {2, 5, kWidth});
  const auto joined = [&](ValueId from) {
    const ValueId apart = t.Op("Reshape", {from, t.Ints({2, 5, kHeads, kHeadSize})});
    return t.Op("Reshape", {b.Transpose(apart, kToHeads), t.Ints({2 * kHeads, 5, kHeadSize})});
  };
  const ValueId k = t.Op("Div", {b.Transpose(joined(b.Linear(y)), {0, 2, 1}), t.Scalar(2)});
  const ValueId scores = t.Op("MatMul", {joined(b.Linear(y)), k});
  const ValueId positions = t.Op("Relu", {t.Input("positions", {2 * kHeads, 5, 5})});
  const ValueId apart = t.Op("Reshape", {t.Op("Add", {scores, positions}), t.Ints({2, kHeads, 5, 5})});
  const ValueId hide = t.Op("Greater", {t.Input("m", {2, 1, 1, 5}), t.Scalar(0)});
  const ValueId weights = b.Softmax(t.Op("Where", {hide, t.Scalar(-3.4028235e38f), apart}));
  const ValueId mixed = t.Op("MatMul", {t.Op("Reshape", {weights, t.Ints({2 * kHeads, 5, 5})}), joined(b.Linear(y))});
  Tensor m(DType::kFloat32, {2, 1, 1, 5});
  for (int i = 0; i < 10; ++i) m.Data<float>()[i] = i % 3 == 0 ? 1.0f : -1.0f;
  const auto counts =
      b.Run(b.Merge(t.Op("Reshape", {mixed, t.Ints({2, kHeads, 5, kHeadSize})})),
            {{"m", m}, {"y", RandomTensor({2, 5, kWidth}, 11)}, {"positions", RandomTensor({2 * kHeads, 5, 5}, 12)}});
  EXPECT_EQ(counts.count("MatMul"), 0u);
  ASSERT_NE(b.Attention(), nullptr);
  EXPECT_EQ(b.Attention()->inputs.size(), 4u);
  EXPECT_FLOAT_EQ(b.Attention()->Float("scale", 0), 0.5f);
}

// Masks that are added where batch and heads are cut otherwise: Swin's windows of several images, heads before batch,
// and a cut by which the mask's elements would fit.
TEST(RecognizeAttention, MasksOfScoresCutOtherwiseStay) {
  struct Cut {
    std::vector<int64_t> scores;
    Dims mask;
  };
  constexpr int64_t kBatch = 4, kTokens = 5;
  for (const Cut& cut : {Cut{{2, 2, kHeads, kTokens, kTokens}, {1, 2, 1, kTokens, kTokens}},
                         Cut{{kHeads, kBatch, kTokens, kTokens}, {kHeads, 1, 1, kTokens}},
                         Cut{{2, 2, kHeads, kTokens, kTokens}, {kBatch / 2, 1, 1, kTokens, kTokens}}}) {
    Block b;
    TestGraph& t = b.t;
    const ValueId y = t.Input("y", {kBatch, kTokens, kWidth});
    const auto heads = [&](ValueId from) {
      return b.Transpose(t.Op("Reshape", {from, t.Ints({kBatch, kTokens, kHeads, kHeadSize})}), kToHeads);
    };
    const ValueId scores = t.Op("MatMul", {heads(b.Linear(y)), b.Transpose(heads(b.Linear(y)), {0, 1, 3, 2})});
    const ValueId mask = t.Input("mask", Shape(cut.mask.begin(), cut.mask.end()));
    const ValueId masked = t.Op("Add", {t.Op("Reshape", {scores, t.Ints(cut.scores)}), mask});
    const ValueId back = t.Op("Reshape", {masked, t.Ints({kBatch, kHeads, kTokens, kTokens})});
    const auto counts =
        b.Run(b.Merge(t.Op("MatMul", {b.Softmax(back), heads(b.Linear(y))})),
              {{"y", RandomTensor({kBatch, kTokens, kWidth}, 11)}, {"mask", RandomTensor(cut.mask, 12)}});
    EXPECT_EQ(counts.count("tamis.Attention"), 0U) << ToString(cut.mask);
  }
}

// SqueezeBERT: projections are convolutions, channels first, tokens last; of pixels likewise.
TEST(RecognizeAttention, TokensBehindChannels) {
  for (const bool image : {false, true}) {
    Block b;
    TestGraph& t = b.t;
    const ValueId y = image ? t.Input("y", {2, kWidth, 3, 5}) : t.Input("y", {Dim::Symbol("b"), kWidth, 15});
    const auto projected = [&] {
      const Dims dims = image ? Dims{kWidth, kWidth, 1, 1} : Dims{kWidth, kWidth, 1};
      return t.Op("Reshape", {t.Op("Conv", {y, t.Weight(dims)}), t.Ints({0, kHeads, kHeadSize, 15})});
    };
    const ValueId q = b.Transpose(projected(), {0, 1, 3, 2}), v = b.Transpose(projected(), {0, 1, 3, 2});
    const ValueId mixed = t.Op("MatMul", {b.Softmax(t.Op("Div", {t.Op("MatMul", {q, projected()}), t.Scalar(2)})), v});
    const ValueId rows = t.Op("Reshape", {b.Transpose(mixed, {0, 1, 3, 2}), t.Ints({0, kWidth, 15})});
    const auto counts =
        b.Run(rows, {{"y", image ? RandomTensor({2, kWidth, 3, 5}, 13) : RandomTensor({2, kWidth, 15}, 13)}});
    EXPECT_EQ(counts.count("MatMul"), 0u) << image;
    ASSERT_NE(b.Attention(), nullptr);
    EXPECT_EQ(b.Attention()->Int("num_heads", 0), kHeads);
  }
}

// Twins: each window of an image attends to itself, the windows an axis of their own; with a mask, as Swin's have, or
// with heads before windows they stay.
TEST(RecognizeAttention, WindowsBesideTheBatch) {
  for (const int what : {0, 1, 2}) {
    Block b;
    TestGraph& t = b.t;
    const ValueId y = t.Input("y", {2, 6, 15, kWidth});
    const ValueId cut = t.Op("Reshape", {b.Linear(y, 3 * kWidth), t.Ints({2, 6, 15, 3, kHeads, kHeadSize})});
    const std::vector<int64_t> perm =
        what == 2 ? std::vector<int64_t>{3, 0, 4, 1, 2, 5} : std::vector<int64_t>{3, 0, 1, 4, 2, 5};
    const std::vector<ValueId> parts = t.Ops("Split", {b.Transpose(cut, perm)}, 3, {{"axis", int64_t{0}}});
    const auto part = [&](size_t i) { return t.Op("Squeeze", {parts[i], t.Ints({0})}); };
    ValueId scores = t.Op("MatMul", {t.Op("Mul", {part(0), t.Scalar(0.5f)}), b.Transpose(part(1), {0, 1, 2, 4, 3})});
    if (what == 1) scores = t.Op("Add", {scores, t.Weight({6, 1, 15, 15})});
    const ValueId mixed = t.Op("MatMul", {b.Softmax(scores), part(2)});
    const ValueId back =
        b.Transpose(mixed, what == 2 ? std::vector<int64_t>{0, 2, 3, 1, 4} : std::vector<int64_t>{0, 1, 3, 2, 4});
    const auto counts =
        b.Run(t.Op("Reshape", {back, t.Ints({2, 6, 15, kWidth})}), {{"y", RandomTensor({2, 6, 15, kWidth}, 13)}});
    EXPECT_EQ(b.Attention() != nullptr, what == 0) << what;
    EXPECT_EQ(counts.count("Transpose") == 0, what == 0) << what;
    EXPECT_EQ(counts.at("tamis.Linear"), what == 0 ? 3 : 1) << what;
  }
}

// Visformer: one convolution for queries, keys and values, cut along channels. `group` 3: it has no part of its own.
TEST(RecognizeAttention, PartsOfChannelsBeforeTokens) {
  for (const int64_t group : {1, 3}) {
    Block b;
    TestGraph& t = b.t;
    const ValueId y = t.Input("y", {2, 3 * kWidth, 3, 5});
    const ValueId conv =
        t.Op("Conv", {y, t.Weight({3 * kWidth, 3 * kWidth / group, 1, 1}), t.Weight({3 * kWidth})}, {{"group", group}});
    const ValueId cut = t.Op("Reshape", {conv, t.Ints({0, 3, kHeads, kHeadSize, 15})});
    const std::vector<ValueId> parts = t.Ops("Split", {b.Transpose(cut, {1, 0, 2, 4, 3})}, 3, {{"axis", int64_t{0}}});
    const auto part = [&](size_t i) { return t.Op("Squeeze", {parts[i], t.Ints({0})}); };
    const ValueId q = part(0), k = b.Transpose(part(1), {0, 1, 3, 2}), v = part(2);
    const ValueId mixed = t.Op("MatMul", {b.Softmax(t.Op("Div", {t.Op("MatMul", {q, k}), t.Scalar(2)})), v});
    const ValueId rows = t.Op("Reshape", {b.Transpose(mixed, {0, 1, 3, 2}), t.Ints({0, kWidth, 15})});
    const auto counts = b.Run(rows, {{"y", RandomTensor({2, 3 * kWidth, 3, 5}, 13)}});
    EXPECT_EQ(counts.count("MatMul") + counts.count("Split"), 0u);
    EXPECT_EQ(counts.at("Conv"), group == 1 ? 3 : 1);
    EXPECT_EQ(counts.count("Slice"), group == 1 ? 0u : 1u);
    ASSERT_NE(b.Attention(), nullptr);
    EXPECT_EQ(b.Attention()->Int("num_heads", 0), kHeads);
  }
}

// Parts that are no outermost factor of the channels, as where each head has its query, key and value together, are
// other rows.
TEST(RecognizeAttention, PartsWithinHeadsOfChannelsStayApart) {
  Block b;
  TestGraph& t = b.t;
  const ValueId y = t.Input("y", {2, kWidth, 3, 5});
  const ValueId conv = t.Op("Conv", {y, t.Weight({3 * kWidth, kWidth, 1, 1})});
  const ValueId cut = t.Op("Reshape", {conv, t.Ints({0, kHeads, 3, kHeadSize, 15})});
  const std::vector<ValueId> parts = t.Ops("Split", {b.Transpose(cut, {2, 0, 1, 4, 3})}, 3, {{"axis", int64_t{0}}});
  const auto part = [&](size_t i) { return t.Op("Squeeze", {parts[i], t.Ints({0})}); };
  const ValueId scores = t.Op("MatMul", {part(0), b.Transpose(part(1), {0, 1, 3, 2})});
  const ValueId mixed = t.Op("MatMul", {b.Softmax(t.Op("Div", {scores, t.Scalar(2)})), part(2)});
  const ValueId rows = t.Op("Reshape", {b.Transpose(mixed, {0, 1, 3, 2}), t.Ints({0, kWidth, 15})});
  const auto counts = b.Run(rows, {{"y", RandomTensor({2, kWidth, 3, 5}, 13)}});
  EXPECT_EQ(counts.at("Conv"), 1);
}

// One projection, cut by Reshape and Transpose(2, 0, 3, 1, 4), its parts taken by Gather.
TEST(RecognizeAttention, FusedProjectionByGather) {
  Block b;
  TestGraph& t = b.t;
  const ValueId qkv = t.Op("Reshape", {b.Linear(b.x, 3 * kWidth), t.Ints({0, 0, 3, kHeads, kHeadSize})});
  const ValueId turned = b.Transpose(qkv, {2, 0, 3, 1, 4});
  const auto part = [&](int64_t i) { return t.Op("Gather", {turned, t.Index(i)}); };
  const ValueId q = t.Op("Mul", {part(0), t.Scalar(0.5f)});
  const ValueId scores = t.Op("MatMul", {q, b.Transpose(part(1), {0, 1, 3, 2})});
  const auto counts = b.Run(b.Merge(t.Op("MatMul", {b.Softmax(scores), part(2)})));
  EXPECT_EQ(counts, (std::map<std::string, int>{{"tamis.Linear", 3}, {"tamis.Attention", 1}}));
  for (size_t i = 0; i < 3; ++i) {
    const Value& rows = b.after.value(b.Attention()->inputs[i]);
    const Value& weight = b.after.value(b.after.node(rows.producer).inputs[1]);
    ASSERT_TRUE(weight.origin.has_value());
    EXPECT_EQ(weight.origin->row_begin, static_cast<int64_t>(i) * kWidth);
    EXPECT_EQ(weight.origin->row_end, static_cast<int64_t>(i + 1) * kWidth);
  }
}

TEST(RecognizeAttention, FusedProjectionBySplitAndSlice) {
  for (bool slice : {false, true}) {
    Block b;
    TestGraph& t = b.t;
    const ValueId qkv = b.Linear(b.x, 3 * kWidth);
    std::vector<ValueId> parts;
    if (slice) {
      for (int64_t i = 0; i < 3; ++i) {
        parts.push_back(t.Op("Slice", {qkv, t.Ints({i * kWidth}), t.Ints({(i + 1) * kWidth}), t.Ints({2})}));
      }
    } else {
      parts = t.Ops("Split", {qkv, t.Ints({kWidth, kWidth, kWidth})}, 3, {{"axis", int64_t{-1}}});
    }
    const ValueId k = b.Transpose(b.Heads(parts[1]), {0, 1, 3, 2});
    const ValueId scores = t.Op("Mul", {t.Op("MatMul", {b.Heads(parts[0]), k}), t.Scalar(0.5f)});
    const auto counts = b.Run(b.Merge(t.Op("MatMul", {b.Softmax(scores), b.Heads(parts[2])})));
    EXPECT_EQ(counts, (std::map<std::string, int>{{"tamis.Linear", 3}, {"tamis.Attention", 1}}));
  }
}

// Tokens before the batch, heads joined with the batch, as torch's MultiheadAttention module is exported.
TEST(RecognizeAttention, TokensFirst) {
  Block b;
  TestGraph& t = b.t;
  const ValueId turned = b.Transpose(b.x, {1, 0, 2});
  const auto heads = [&](ValueId from) {
    return b.Transpose(t.Op("Reshape", {from, t.Ints({0, -1, kHeadSize})}), {1, 0, 2});
  };
  const ValueId q = heads(b.Linear(turned)), k = heads(b.Linear(turned)), v = heads(b.Linear(turned));
  const ValueId scores = t.Op("MatMul", {t.Op("Mul", {q, t.Scalar(0.5f)}), b.Transpose(k, {0, 2, 1})});
  const ValueId context = b.Transpose(t.Op("MatMul", {b.Softmax(scores), v}), {1, 0, 2});
  const ValueId merged = t.Op("Reshape", {context, t.Ints({0, -1, kWidth})});
  const auto counts = b.Run(b.Transpose(b.Linear(merged), {1, 0, 2}));
  EXPECT_EQ(counts, (std::map<std::string, int>{{"tamis.Linear", 4}, {"tamis.Attention", 1}}));
}

TEST(RecognizeAttention, NotOtherwise) {
  const auto attention = [](Block& b, bool read_probabilities, int64_t axis, float after_mask) {
    TestGraph& t = b.t;
    const ValueId mask = t.Input("mask", {Dim::Symbol("b"), 1, 1, Dim::Symbol("s")});
    const ValueId k = b.Transpose(b.Heads(b.Linear(b.x)), {0, 1, 3, 2});
    ValueId scores = t.Op("Add", {t.Op("MatMul", {b.Heads(b.Linear(b.x)), k}), mask});
    if (after_mask != 1) scores = t.Op("Mul", {scores, t.Scalar(after_mask)});
    const ValueId p = t.Op("Softmax", {scores}, {{"axis", axis}});
    if (read_probabilities) t.Output(p);
    return b.Run(b.Merge(t.Op("MatMul", {p, b.Heads(b.Linear(b.x))})),
                 {{"mask", RandomTensor({2, 1, 1, 5}, 11)}})["tamis.Attention"];
  };
  Block plain, probabilities, other_axis, scaled_mask;
  EXPECT_EQ(attention(plain, false, 3, 1), 1);
  EXPECT_EQ(attention(probabilities, true, 3, 1), 0) << "the probabilities are an output";
  EXPECT_EQ(attention(other_axis, false, 2, 1), 0) << "softmax over the queries";
  EXPECT_EQ(attention(scaled_mask, false, 3, 0.5f), 0) << "the mask is scaled too";
}

// Keys and values of one head, repeated for all three of q: repeat_kv of grouped-query models.
ValueId Repeated(Block& b, ValueId few, int64_t heads, int64_t times, bool tile) {
  TestGraph& t = b.t;
  const ValueId lifted = t.Op("Unsqueeze", {few, t.Ints({2})});
  if (tile) {
    const ValueId tiled = t.Op("Tile", {lifted, t.Ints({1, 1, times, 1, 1})});
    return t.Op("Reshape", {tiled, t.Ints({0, heads * times, -1, kHeadSize})});
  }
  const ValueId shape = t.Op(
      "Concat",
      {t.Op("Shape", {few}, {{"end", int64_t{2}}}), t.Ints({times}), t.Op("Shape", {few}, {{"start", int64_t{2}}})},
      {{"axis", int64_t{0}}});
  const ValueId expanded = t.Op("Expand", {lifted, shape});
  return t.Op("Reshape", {expanded, t.Ints({0, heads * times, -1, kHeadSize})});
}

TEST(RecognizeAttention, SharedHeadsOfKeysAndValues) {
  for (bool tile : {false, true}) {
    for (int64_t kv_heads : {int64_t{1}, int64_t{2}}) {
      Block b;
      TestGraph& t = b.t;
      const int64_t heads = 2 * kv_heads, width = kv_heads * kHeadSize;
      const auto split = [&](ValueId rows, int64_t count) {
        return b.Transpose(t.Op("Reshape", {rows, t.Ints({0, -1, count, kHeadSize})}), kToHeads);
      };
      const ValueId q = split(b.Linear(b.x, 2 * width), heads);
      const ValueId k = Repeated(b, split(b.Linear(b.x, width), kv_heads), kv_heads, 2, tile);
      const ValueId v = Repeated(b, split(b.Linear(b.x, width), kv_heads), kv_heads, 2, tile);
      const ValueId scores = t.Op("Mul", {t.Op("MatMul", {q, b.Transpose(k, {0, 1, 3, 2})}), t.Scalar(0.5f)});
      const ValueId context = b.Transpose(t.Op("MatMul", {b.Softmax(scores), v}), kToHeads);
      const auto counts = b.Run(t.Op("Reshape", {context, t.Ints({0, -1, 2 * width})}));
      EXPECT_EQ(counts, (std::map<std::string, int>{{"tamis.Linear", 3}, {"tamis.Attention", 1}}))
          << "tile " << tile << " heads " << kv_heads;
      ASSERT_NE(b.Attention(), nullptr);
      EXPECT_EQ(b.Attention()->Int("num_heads", 0), heads);
      EXPECT_EQ(b.Attention()->Int("kv_heads", 0), kv_heads);
    }
  }
}

// A decoder's step: keys and values are appended to what is there, q passes through a product that is no head split.
TEST(RecognizeAttention, OperandsWithHeadsApartAreReadAsTheyAre) {
  Block b;
  TestGraph& t = b.t;
  const Shape past = {Dim::Symbol("b"), kHeads, Dim::Symbol("p"), kHeadSize};
  const ValueId past_k = t.Input("past_k", past), past_v = t.Input("past_v", past);
  const auto append = [&](ValueId before, ValueId heads) {
    return t.Op("Concat", {before, heads}, {{"axis", int64_t{2}}});
  };
  const ValueId rotation = t.Weight({kHeadSize, kHeadSize});
  const ValueId q = t.Op("MatMul", {b.Heads(b.Linear(b.x)), rotation});
  const ValueId k = append(past_k, b.Heads(b.Linear(b.x))), v = append(past_v, b.Heads(b.Linear(b.x)));
  t.Output(k);
  t.Output(v);
  const ValueId scores = t.Op("Div", {t.Op("MatMul", {q, b.Transpose(k, {0, 1, 3, 2})}), t.Scalar(2)});
  const auto counts =
      b.Run(b.Merge(t.Op("MatMul", {b.Softmax(scores), v})), {{"past_k", RandomTensor({2, kHeads, 4, kHeadSize}, 20)},
                                                              {"past_v", RandomTensor({2, kHeads, 4, kHeadSize}, 21)}});
  EXPECT_EQ(counts.at("tamis.Attention"), 1);
  EXPECT_EQ(counts.count("Softmax"), 0u);
  ASSERT_NE(b.Attention(), nullptr);
  EXPECT_EQ(b.after.value(b.Attention()->inputs[1]).name, b.t.graph.value(k).name);
  EXPECT_EQ(b.after.value(b.Attention()->inputs[2]).name, b.t.graph.value(v).name);
}

// As torch writes a boolean mask: added as 0 or -infinity, and rows without any key give 0.
TEST(RecognizeAttention, RowsWithoutKeysGiveZero) {
  Block b;
  TestGraph& t = b.t;
  const float infinity = std::numeric_limits<float>::infinity();
  const ValueId keep = t.Input("keep", {Dim::Symbol("b"), 1, Dim::Symbol("s"), Dim::Symbol("s")}, DType::kBool);
  const ValueId mask = t.Op("Where", {keep, t.Scalar(0), t.Scalar(-infinity)});
  const ValueId root = t.Scalar(std::sqrt(0.5f));
  const ValueId q = t.Op("Mul", {b.Heads(b.Linear(b.x)), root});
  const ValueId k = t.Op("Mul", {b.Transpose(b.Heads(b.Linear(b.x)), {0, 1, 3, 2}), root});
  const ValueId p = b.Softmax(t.Op("Add", {t.Op("MatMul", {q, k}), mask}));
  const ValueId guarded = t.Op("Where", {t.Op("IsNaN", {p}), t.Scalar(0), p});
  Tensor visible(DType::kBool, {2, 1, 5, 5});
  for (int i = 0; i < 50; ++i) visible.Data<uint8_t>()[i] = i / 5 % 5 != 2 && i % 3 != 0;
  const auto counts = b.Run(b.Merge(t.Op("MatMul", {guarded, b.Heads(b.Linear(b.x))})), {{"keep", visible}});
  EXPECT_EQ(counts, (std::map<std::string, int>{{"tamis.Linear", 3}, {"tamis.Attention", 1}, {"Where", 1}}));
  EXPECT_EQ(b.Attention()->Int("zero_masked", 0), 1);
}

TEST(RecognizeAttention, AConstantCausalMaskIsAnAttribute) {
  for (bool by_where : {false, true}) {
    Block b;
    TestGraph& t = b.t;
    const ValueId x = t.Input("fixed", {2, 6, kWidth});
    const ValueId q = b.Heads(b.Linear(x)), k = b.Transpose(b.Heads(b.Linear(x)), {0, 1, 3, 2});
    const ValueId scores = t.Op("MatMul", {q, k});
    Tensor addend(DType::kFloat32, {1, 1, 6, 6}), keep(DType::kBool, {6, 6});
    for (int i = 0; i < 36; ++i) {
      addend.Data<float>()[i] = i % 6 <= i / 6 ? 0 : -3.4028235e38f;
      keep.Data<uint8_t>()[i] = i % 6 <= i / 6;
    }
    const ValueId masked = by_where
                               ? t.Op("Where", {t.graph.AddConstant("keep", keep), scores, t.Scalar(-3.4028235e38f)})
                               : t.Op("Add", {scores, t.graph.AddConstant("addend", addend)});
    const ValueId y = t.Op("MatMul", {b.Softmax(masked), b.Heads(b.Linear(x))});
    t.Output(b.x);
    const auto counts = b.Run(b.Merge(y), {{"fixed", RandomTensor({2, 6, kWidth}, 30)}});
    EXPECT_EQ(counts, (std::map<std::string, int>{{"tamis.Linear", 3}, {"tamis.Attention", 1}}));
    EXPECT_EQ(b.Attention()->Int("causal", 0), 1);
    EXPECT_EQ(b.Attention()->Int("causal_offset", -1), 0);
    EXPECT_EQ(b.Attention()->inputs.size(), 3u);
  }
}

}  // namespace
}  // namespace tamis
