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

}  // namespace
}  // namespace tamis
