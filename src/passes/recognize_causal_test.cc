#include <functional>
#include <limits>

#include "src/passes/test_graph.h"

namespace tamis {
namespace {

const std::vector<Pass> kPasses = {{"recognize_causal", RecognizeCausal}, {"remove_dead", RemoveDead}};
const Dim kBatch = Dim::Symbol("b"), kTokens = Dim::Symbol("s"), kPast = Dim::Symbol("p");
constexpr float kLowest = std::numeric_limits<float>::lowest();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// An Attention with a mask that a test makes; keys are those of a cache and the present ones.
struct Builder {
  explicit Builder(bool cached = false, int64_t queries = 5) : queries(queries), cached(cached) {
    q = t.Input("q", {kBatch, kTokens, 8});
    k = t.Input("k", {kBatch, cached ? kPast + kTokens : kTokens, 8});
    const auto count = [&](ValueId of) {
      const ValueId dim = t.Op("Gather", {t.Op("Shape", {of}), t.Index(1)});
      return dim;
    };
    query_count = count(q);
    key_count = count(k);
    past_count = t.Op("Sub", {key_count, query_count});
  }
  ValueId Range(ValueId from, ValueId to) { return t.Op("Range", {from, to, t.Index(1)}); }
  ValueId Axes(ValueId x, const std::vector<int64_t>& axes) { return t.Op("Unsqueeze", {x, t.Ints(axes)}); }
  // Places of the queries as [1, 1, s, 1], of the keys as [1, 1, 1, t].
  ValueId QueryPlaces() {
    return Axes(cached ? Range(past_count, key_count) : Range(t.Index(0), query_count), {0, 1, 3});
  }
  ValueId KeyPlaces() { return Axes(Range(t.Index(0), key_count), {0, 1, 2}); }
  ValueId Seen() { return t.Op("LessOrEqual", {KeyPlaces(), QueryPlaces()}); }
  ValueId Added(ValueId condition, float hidden) { return t.Op("Where", {condition, t.Scalar(0), t.Scalar(hidden)}); }
  // [b, 1, 1, t]: keys that are not padding.
  ValueId Padding() {
    const ValueId mask = t.Input("padding", {kBatch, cached ? kPast + kTokens : kTokens}, DType::kBool);
    return Axes(mask, {1, 2});
  }
  Node Run(ValueId mask, double tolerance = 1e-5) {
    t.Output(t.Op("Attention", {q, k, k, mask}, {{"num_heads", int64_t{2}}, {"scale", 0.7f}}, kTamisDomain));
    const int64_t keys = queries + (cached ? 4 : 0);
    Feeds feeds = {{"q", RandomTensor({2, queries, 8}, 1, -2, 2)}, {"k", RandomTensor({2, keys, 8}, 2, -2, 2)}};
    Tensor padding(DType::kBool, {2, keys});
    for (int64_t i = 0; i < 2 * keys; ++i)
      padding.raw()[i] = static_cast<std::byte>(i >= 2);  // a batch starts with two
    feeds["padding"] = padding;
    after = RewriteAndCompare(t.graph, kPasses, feeds, tolerance);
    for (NodeId id : after.NodeIds()) {
      if (after.node(id).IsTamis("Attention")) return MakeCopy(after.node(id));
    }
    ADD_FAILURE();
    return {};
  }
  static Node MakeCopy(const Node& node) {
    Node copy;
    copy.inputs = node.inputs;
    copy.attributes = node.attributes;
    return copy;
  }

  int64_t queries;
  bool cached;
  TestGraph t{18};
  ValueId q, k, query_count, key_count, past_count;
  Graph after;
};

TEST(RecognizeCausal, ComparedRanges) {
  const std::vector<std::function<ValueId(Builder&)>> spellings = {
      [](Builder& b) { return b.Seen(); },
      [](Builder& b) {
        return b.t.Op("GreaterOrEqual", {b.QueryPlaces(), b.KeyPlaces()});
      },
      [](Builder& b) {
        return b.t.Op("Not", {b.t.Op("Greater", {b.KeyPlaces(), b.QueryPlaces()})});
      },
      [](Builder& b) {
        const ValueId next = b.t.Op("Add", {b.QueryPlaces(), b.t.Index(1)});
        return b.t.Op("Less", {b.KeyPlaces(), next});
      },
      [](Builder& b) {
        const ValueId always = b.t.Op("GreaterOrEqual", {b.QueryPlaces(), b.t.Index(0)});
        return b.t.Op("And", {always, b.t.Op("Cast", {b.Seen()}, {{"to", static_cast<int64_t>(DType::kBool)}})});
      }};
  for (const bool cached : {false, true}) {
    for (size_t i = 0; i < spellings.size(); ++i) {
      SCOPED_TRACE(i);
      Builder b(cached);
      const Node node = b.Run(b.Added(spellings[i](b), kLowest));
      EXPECT_EQ(node.inputs.size(), 3u);
      EXPECT_EQ(node.Int("causal", 0), 1);
      EXPECT_EQ(node.Int("causal_offset", -1), 0);
      EXPECT_EQ(node.Int("from_end", 0), cached ? 1 : 0);
      EXPECT_EQ(b.after.NodeIds().size(), 1u) << b.after.ToString();
    }
  }
}

TEST(RecognizeCausal, Triangles) {
  for (const bool negated : {false, true}) {
    Builder b;
    const ValueId size =
        b.t.Op("Concat", {b.Axes(b.query_count, {0}), b.Axes(b.key_count, {0})}, {{"axis", int64_t{0}}});
    const ValueId ones = b.t.Op("Expand", {b.t.Scalar(1), size});
    const ValueId triangle = b.t.Op("Trilu", {ones}, {{"upper", int64_t{0}}});
    ValueId mask = kNoValue;
    if (negated) {
      mask = b.t.Op("Where", {b.t.Op("Equal", {triangle, b.t.Scalar(0)}), b.t.Scalar(-kInfinity), b.t.Scalar(0)});
    } else {
      mask = b.Added(b.t.Op("Cast", {triangle}, {{"to", static_cast<int64_t>(DType::kBool)}}), -kInfinity);
    }
    const Node node = b.Run(mask);
    EXPECT_EQ(node.inputs.size(), 3u);
    EXPECT_EQ(node.Int("causal", 0), 1);
  }
  Builder added;  // the triangle above the diagonal is added as it is
  const ValueId size = added.t.Op("Concat", {added.Axes(added.query_count, {0}), added.Axes(added.key_count, {0})},
                                  {{"axis", int64_t{0}}});
  const ValueId full = added.t.Op("Expand", {added.t.Scalar(kLowest), size});
  const Node node = added.Run(added.t.Op("Trilu", {full, added.t.Index(1)}, {{"upper", int64_t{1}}}));
  EXPECT_EQ(node.inputs.size(), 3u);
  EXPECT_EQ(node.Int("causal_offset", -1), 0);
}

// The triangle is a constant of the longest sequence, of which the graph takes rows and columns.
TEST(RecognizeCausal, PartsOfAConstantTriangle) {
  Builder b(true);
  Tensor triangle(DType::kBool, {1, 1, 16, 16});
  for (int64_t i = 0; i < 256; ++i) triangle.raw()[i] = static_cast<std::byte>(i % 16 <= i / 16);
  const ValueId constant = b.t.graph.AddConstant("triangle", triangle);
  const auto one = [&](ValueId x) { return b.Axes(x, {0}); };
  const ValueId rows = b.t.Op("Slice", {constant, one(b.past_count), one(b.key_count), b.t.Ints({2})});
  const ValueId part = b.t.Op("Slice", {rows, b.t.Ints({0}), one(b.key_count), b.t.Ints({3})});
  const Node node = b.Run(b.Added(part, kLowest));
  EXPECT_EQ(node.inputs.size(), 3u);
  EXPECT_EQ(node.Int("from_end", 0), 1);
}

TEST(RecognizeCausal, TheRestStays) {
  for (const float hidden : {kLowest, -kInfinity}) {
    SCOPED_TRACE(hidden);
    Builder b;
    if (hidden == -kInfinity) b.queries = 2;  // the rows that see nothing would be NaN: leave none
    const ValueId padding = b.Padding();
    const ValueId mask = b.Added(b.t.Op("And", {b.Seen(), padding}), hidden);
    if (hidden == -kInfinity) continue;
    const Node node = b.Run(mask);  // the first batch entry's first rows see padding only
    ASSERT_EQ(node.inputs.size(), 4u);
    EXPECT_EQ(node.Int("causal", 0), 1);
    EXPECT_EQ(node.Int("mean_masked", 0), 1);
    EXPECT_EQ(CountOps(b.after)["LessOrEqual"], 0);
    const Shape& shape = b.after.value(node.inputs[3]).type.shape;
    EXPECT_EQ(shape.size() >= 2 ? shape[shape.size() - 2] : Dim(0), Dim(1)) << "no axis for queries is left";
  }
  Builder bias;  // a bias where it sees
  const ValueId added = bias.t.Input("padding", {kBatch, 2, kTokens, kTokens});
  const ValueId mask = bias.t.Op("Where", {bias.Seen(), added, bias.t.Scalar(kLowest)});
  bias.t.Output(bias.t.Op("Attention", {bias.q, bias.k, bias.k, mask}, {{"num_heads", int64_t{2}}, {"scale", 0.7f}},
                          kTamisDomain));
  const Graph after = RewriteAndCompare(bias.t.graph, kPasses,
                                        {{"q", RandomTensor({2, 5, 8}, 1)},
                                         {"k", RandomTensor({2, 5, 8}, 2)},
                                         {"padding", RandomTensor({2, 2, 5, 5}, 3)}});
  EXPECT_EQ(after.NodeIds().size(), 1u) << after.ToString();
}

TEST(RecognizeCausal, Windows) {
  Builder b;
  const ValueId begin = b.t.Op("Sub", {b.QueryPlaces(), b.t.Index(3)});
  const ValueId inside = b.t.Op("And", {b.t.Op("Greater", {b.KeyPlaces(), begin}), b.Seen()});
  Node node = b.Run(b.Added(inside, kLowest));
  EXPECT_EQ(node.inputs.size(), 3u);
  EXPECT_EQ(node.Int("window_offset", 0), -2);
  EXPECT_EQ(node.Int("causal_offset", -1), 0);
  Builder both;  // on both sides
  const ValueId distance = both.t.Op("Abs", {both.t.Op("Sub", {both.QueryPlaces(), both.KeyPlaces()})});
  node = both.Run(both.Added(both.t.Op("LessOrEqual", {distance, both.t.Index(1)}), -kInfinity));
  EXPECT_EQ(node.inputs.size(), 3u);
  EXPECT_EQ(node.Int("window_offset", 0), -1);
  EXPECT_EQ(node.Int("causal_offset", 0), 1);
}

TEST(RecognizeCausal, NearMissesStay) {
  Builder small;  // what is hidden is not hidden enough
  EXPECT_EQ(small.Run(small.Added(small.Seen(), -10)).inputs.size(), 4u);
  Builder turned;  // queries along the keys' axis
  const ValueId places = turned.Axes(turned.Range(turned.t.Index(0), turned.query_count), {0, 1, 2});
  const ValueId others = turned.Axes(turned.Range(turned.t.Index(0), turned.key_count), {0, 1, 3});
  const Node later = turned.Run(turned.Added(turned.t.Op("LessOrEqual", {others, places}), kLowest));
  EXPECT_EQ(later.Int("causal", 0), 0);  // it sees what comes later
  EXPECT_EQ(later.Int("windowed", 0), 1);
  Builder step;  // every second key
  const ValueId keys =
      step.Axes(step.t.Op("Mul", {step.Range(step.t.Index(0), step.key_count), step.t.Index(2)}), {0, 1, 2});
  EXPECT_EQ(step.Run(step.Added(step.t.Op("LessOrEqual", {keys, step.QueryPlaces()}), kLowest)).inputs.size(), 4u);
  Builder either;  // or something else
  const ValueId seen = either.t.Op("Or", {either.Seen(), either.Padding()});
  EXPECT_EQ(either.Run(either.Added(seen, kLowest)).inputs.size(), 4u);
}

}  // namespace
}  // namespace tamis
