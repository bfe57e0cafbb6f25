#include "src/passes/test_graph.h"

namespace tamis {
namespace {

const std::vector<Pass> kPass = {{"recognize_rotary", RecognizeRotary}};
const Dim kBatch = Dim::Symbol("b"), kTokens = Dim::Symbol("s");
constexpr int64_t kHeads = 3, kSize = 8;

// x is [b, s, 24] and split into heads as exporters do it.
struct Builder {
  explicit Builder(int64_t width = kSize) : width(width) {
    rows = t.Input("x", {kBatch, kTokens, kHeads * kSize});
    apart = t.Op("Reshape", {rows, t.Ints({0, 0, kHeads, kSize})});
    x = t.Op("Transpose", {apart}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
    cosine = t.Op("Unsqueeze", {t.Input("cos", {1, kTokens, width}), t.Ints({1})});
    sine = t.Op("Unsqueeze", {t.Input("sin", {1, kTokens, width}), t.Ints({1})});
  }
  ValueId Mul(ValueId a, ValueId b) { return t.Op("Mul", {a, b}); }
  ValueId Part(ValueId from, int64_t begin, int64_t end, int64_t step = 1) {
    return t.Op("Slice", {from, t.Ints({begin}), t.Ints({end}), t.Ints({-1}), t.Ints({step})});
  }
  ValueId Concat(ValueId a, ValueId b) { return t.Op("Concat", {a, b}, {{"axis", int64_t{-1}}}); }
  // a and b element by element, in the shape of x.
  ValueId Stack(ValueId a, ValueId b) {
    const ValueId last = t.Ints({-1});
    const ValueId both = Concat(t.Op("Unsqueeze", {a, last}), t.Op("Unsqueeze", {b, last}));
    return t.Op("Reshape", {both, t.Op("Shape", {x})});
  }
  ValueId TurnedHalves(ValueId of, int64_t size = kSize) {
    return Concat(t.Op("Neg", {Part(of, size / 2, INT64_MAX)}), Part(of, 0, size / 2));
  }
  ValueId Sum(ValueId of, ValueId turned) { return t.Op("Add", {Mul(of, cosine), Mul(turned, sine)}); }
  std::map<std::string, int> Run(ValueId output, const Attributes& expected = {}) {
    t.Output(output);
    const Feeds feeds = {{"x", RandomTensor({2, 5, kHeads * kSize}, 1)},
                         {"cos", RandomTensor({1, 5, width}, 2)},
                         {"sin", RandomTensor({1, 5, width}, 3)}};
    after = RewriteAndCompare(t.graph, kPass, feeds, 1e-6);
    for (NodeId id : after.NodeIds()) {
      if (!after.node(id).IsTamis("Rotary")) continue;
      EXPECT_EQ(after.node(id).Int("num_heads", 0), kHeads);
      for (const auto& [name, value] : expected)
        EXPECT_EQ(after.node(id).Int(name, 0), std::get<int64_t>(value)) << name;
    }
    return CountOps(after);
  }
  // The rotation of rows, and the head split behind it.
  const std::map<std::string, int> kRows = {{"tamis.Rotary", 1}, {"Reshape", 1}, {"Transpose", 1}};

  int64_t width;
  TestGraph t;
  ValueId rows, apart, x, cosine, sine;
  Graph after;
};

TEST(RecognizeRotary, HalvesTurnedAsAWhole) {
  Builder b;
  EXPECT_EQ(b.Run(b.Sum(b.x, b.TurnedHalves(b.x)), {{"rotary_dim", kSize}, {"interleaved", int64_t{0}}}), b.kRows);
  Builder other;  // halves by Split, operands the other way round
  const auto halves = other.t.Ops("Split", {other.x}, 2, {{"axis", int64_t{-1}}, {"num_outputs", int64_t{2}}});
  const ValueId turned = other.Concat(other.Mul(halves[1], other.t.Scalar(-1)), halves[0]);
  const ValueId sum = other.t.Op("Add", {other.Mul(other.sine, turned), other.Mul(other.cosine, other.x)});
  EXPECT_EQ(other.Run(sum), other.kRows);
}

TEST(RecognizeRotary, NeighboursTurnedAsAWhole) {
  Builder b;
  const ValueId turned = b.Stack(b.t.Op("Neg", {b.Part(b.x, 1, INT64_MAX, 2)}), b.Part(b.x, 0, INT64_MAX, 2));
  EXPECT_EQ(b.Run(b.Sum(b.x, turned), {{"interleaved", int64_t{1}}}), b.kRows);
}

TEST(RecognizeRotary, PartsTurnedOneByOne) {
  for (const bool interleaved : {false, true}) {
    SCOPED_TRACE(interleaved);
    Builder b(kSize / 2);
    const ValueId a = interleaved ? b.Part(b.x, 0, kSize, 2) : b.Part(b.x, 0, kSize / 2);
    const ValueId c = interleaved ? b.Part(b.x, 1, kSize, 2) : b.Part(b.x, kSize / 2, kSize);
    const ValueId real = b.t.Op("Sub", {b.Mul(a, b.cosine), b.Mul(c, b.sine)});
    const ValueId imaginary = b.t.Op("Add", {b.Mul(a, b.sine), b.Mul(c, b.cosine)});
    EXPECT_EQ(b.Run(interleaved ? b.Stack(real, imaginary) : b.Concat(real, imaginary),
                    {{"interleaved", int64_t{interleaved}}, {"rotary_dim", kSize}}),
              b.kRows);
  }
}

TEST(RecognizeRotary, APartOfEachHead) {
  Builder b(4);
  const ValueId first = b.Part(b.x, 0, 4);
  EXPECT_EQ(
      b.Run(b.Concat(b.Sum(first, b.TurnedHalves(first, 4)), b.Part(b.x, 4, INT64_MAX)), {{"rotary_dim", int64_t{4}}}),
      b.kRows);
  Builder gap(4);  // an element is left out
  const ValueId begin = gap.Part(gap.x, 0, 4);
  EXPECT_EQ(gap.Run(gap.Concat(gap.Sum(begin, gap.TurnedHalves(begin, 4)), gap.Part(gap.x, 5, INT64_MAX)))["Concat"],
            1);
}

TEST(RecognizeRotary, HeadsBehindPositions) {
  Builder b;
  b.x = b.apart;
  b.cosine = b.t.Op("Unsqueeze", {b.t.Op("Squeeze", {b.cosine, b.t.Ints({1})}), b.t.Ints({2})});
  b.sine = b.t.Op("Unsqueeze", {b.t.Op("Squeeze", {b.sine, b.t.Ints({1})}), b.t.Ints({2})});
  EXPECT_EQ(b.Run(b.Sum(b.x, b.TurnedHalves(b.x)))["tamis.Rotary"], 1);
  EXPECT_EQ(CountOps(b.after)["Transpose"], 0);
}

TEST(RecognizeRotary, NearMissesStay) {
  Builder sign;  // the other half is negated
  EXPECT_EQ(sign.Run(sign.Sum(sign.x, sign.Concat(sign.Part(sign.x, 4, 8),
                                                  sign.t.Op("Neg", {sign.Part(sign.x, 0, 4)}))))["tamis.Rotary"],
            0);
  Builder cut;  // not in the middle
  EXPECT_EQ(cut.Run(cut.Sum(
                cut.x, cut.Concat(cut.t.Op("Neg", {cut.Part(cut.x, 2, 8)}), cut.Part(cut.x, 0, 2))))["tamis.Rotary"],
            0);
  Builder read;  // a part has another reader
  const ValueId turned = read.TurnedHalves(read.x);
  read.t.Output(turned);
  EXPECT_EQ(read.Run(read.Sum(read.x, turned))["tamis.Rotary"], 0);
  Builder heads;  // every head has its own angles
  const ValueId own = heads.t.Weight({1, kHeads, 1, kSize});
  heads.cosine = heads.Mul(heads.cosine, own);
  heads.sine = heads.Mul(heads.sine, own);
  EXPECT_EQ(heads.Run(heads.Sum(heads.x, heads.TurnedHalves(heads.x)))["tamis.Rotary"], 0);
}

TEST(RecognizeRotary, OperatorOfOnnx) {
  for (const bool packed : {false, true}) {
    SCOPED_TRACE(packed);
    TestGraph t(23);
    const ValueId rows = t.Input("x", {kBatch, kTokens, kHeads * kSize});
    const ValueId positions = t.Input("positions", {kBatch, kTokens}, DType::kInt64);
    ValueId x = rows;
    if (!packed) {
      x = t.Op("Transpose", {t.Op("Reshape", {rows, t.Ints({0, 0, kHeads, kSize})})},
               {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
    }
    t.Output(
        t.Op("RotaryEmbedding", {x, t.Weight({9, 3}), t.Weight({9, 3}), positions},
             {{"num_heads", packed ? kHeads : 0}, {"rotary_embedding_dim", int64_t{6}}, {"interleaved", int64_t{1}}}));
    Tensor ids(DType::kInt64, {2, 5});
    for (int64_t i = 0; i < 10; ++i) ids.Data<int64_t>()[i] = (i * 7) % 9;
    const Graph after =
        RewriteAndCompare(t.graph, kPass, {{"x", RandomTensor({2, 5, 24}, 4)}, {"positions", ids}}, 1e-6);
    std::map<std::string, int> expected = {{"tamis.Rotary", 1}, {"Gather", 2}};
    if (!packed) expected.merge(std::map<std::string, int>{{"Reshape", 1}, {"Transpose", 1}});
    EXPECT_EQ(CountOps(after), expected);
  }
}

TEST(RecognizeRotary, AttentionReadsTheRotatedRows) {
  TestGraph t;
  const ValueId cosine = t.Input("cos", {1, 1, kTokens, kSize}), sine = t.Input("sin", {1, 1, kTokens, kSize});
  const auto heads = [&](const char* name) {
    const ValueId rows = t.Input(name, {kBatch, kTokens, kHeads * kSize});
    return t.Op("Transpose", {t.Op("Reshape", {rows, t.Ints({0, 0, kHeads, kSize})})},
                {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
  };
  const auto rotated = [&](ValueId x) {
    const auto part = [&](int64_t begin, int64_t end) {
      return t.Op("Slice", {x, t.Ints({begin}), t.Ints({end}), t.Ints({3})});
    };
    const ValueId turned = t.Op("Concat", {t.Op("Neg", {part(4, 8)}), part(0, 4)}, {{"axis", int64_t{-1}}});
    return t.Op("Add", {t.Op("Mul", {x, cosine}), t.Op("Mul", {turned, sine})});
  };
  const ValueId q = rotated(heads("q")), k = rotated(heads("k")), v = heads("v");
  const ValueId keys = t.Op("Transpose", {k}, {{"perm", std::vector<int64_t>{0, 1, 3, 2}}});
  const ValueId weights = t.Op("Softmax", {t.Op("MatMul", {q, keys})}, {{"axis", int64_t{-1}}});
  const ValueId y = t.Op("Transpose", {t.Op("MatMul", {weights, v})}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
  t.Output(t.Op("Reshape", {y, t.Ints({0, 0, kHeads * kSize})}));
  const std::vector<Pass> passes = {{"recognize_rotary", RecognizeRotary},
                                    {"recognize_attention", RecognizeAttention},
                                    {"simplify_views", SimplifyViews},
                                    {"remove_dead", RemoveDead}};
  Feeds feeds = {{"cos", RandomTensor({1, 1, 5, kSize}, 2)}, {"sin", RandomTensor({1, 1, 5, kSize}, 3)}};
  for (const char* name : {"q", "k", "v"}) feeds[name] = RandomTensor({2, 5, 24}, static_cast<uint32_t>(name[0]));
  const Graph after = RewriteAndCompare(t.graph, passes, feeds, 1e-5);
  const auto counts = CountOps(after);
  EXPECT_EQ(counts.at("tamis.Rotary"), 2);
  EXPECT_EQ(counts.at("tamis.Attention"), 1);
  EXPECT_EQ(counts.count("Transpose"), 0u) << after.ToString();
}

}  // namespace
}  // namespace tamis
