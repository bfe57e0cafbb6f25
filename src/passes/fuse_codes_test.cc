// Codes between the products, on graphs as quantisers write them.
#include "src/passes/test_graph.h"

namespace tamis {
namespace {

using Ints = std::vector<int64_t>;
using Counts = std::map<std::string, int>;

const std::vector<Pass> kPasses = {{"fold_constants", FoldConstants},
                                   {"push_codes", PushCodes},
                                   {"propagate_quantization", PropagateQuantization},
                                   {"fold_dequantized", FoldDequantized},
                                   {"recognize_attention", RecognizeAttention},
                                   {"fuse_codes", FuseCodes},
                                   {"make_channels_last", MakeChannelsLast},
                                   {"push_transposes", PushTransposes},
                                   {"simplify_views", SimplifyViews}};

struct Quantised {
  TestGraph t{17};
  uint32_t seed = 1;

  ValueId Code(DType dtype, int64_t value) {
    Tensor tensor(dtype, Dims{});
    *reinterpret_cast<uint8_t*>(tensor.raw()) = static_cast<uint8_t>(value);
    return t.graph.AddConstant(t.graph.FreshName("zero"), tensor);
  }
  ValueId Around(ValueId x, float scale, int64_t zero) {
    const ValueId codes = t.Op("QuantizeLinear", {x, t.Scalar(scale), Code(DType::kUInt8, zero)});
    return t.Op("DequantizeLinear", {codes, t.Scalar(scale), Code(DType::kUInt8, zero)});
  }
  ValueId Conv(ValueId x, int64_t in, int64_t out) {
    Tensor codes(DType::kInt8, {out, in, 3, 3});
    std::mt19937 generator(seed++);
    for (size_t i = 0; i < codes.NumBytes(); ++i) codes.raw()[i] = static_cast<std::byte>(generator() % 255 + 1);
    const ValueId weight =
        t.Op("DequantizeLinear",
             {t.graph.AddConstant(t.graph.FreshName("codes"), codes), t.Weight({out}, 0.001f, 0.002f),
              t.graph.AddConstant(t.graph.FreshName("zeros"), Tensor(DType::kInt8, {out}))},
             {{"axis", int64_t{0}}});
    return t.Op("Conv", {x, weight}, {{"pads", Ints{1, 1, 1, 1}}});
  }
  // What is left, after a comparison within `tolerance` of the output.
  Graph Run(const Feeds& feeds, double tolerance, const std::vector<Pass>& passes = kPasses) {
    Graph after = t.graph.Clone();
    const Status status = RunPasses(after, passes, {});
    EXPECT_TRUE(status.ok()) << status.message();
    const auto expected = Evaluate(t.graph, feeds), actual = Evaluate(after, feeds);
    if (expected.empty() || actual.empty()) {
      ADD_FAILURE() << "nothing was computed";
      return after;
    }
    const auto a = expected[0].ToFloat32(), b = actual[0].ToFloat32();
    EXPECT_EQ(a.dims(), b.dims());
    double largest = 0, magnitude = 0;
    for (int64_t i = 0; i < a.NumElements(); ++i) {
      largest = std::max<double>(largest, std::abs(a.Data<float>()[i] - b.Data<float>()[i]));
      magnitude = std::max<double>(magnitude, std::abs(a.Data<float>()[i]));
    }
    EXPECT_GT(magnitude, 0);
    EXPECT_LE(largest, tolerance * 1.001);
    return after;
  }
};

const Feeds kImage = {{"x", RandomTensor({2, 4, 8, 6}, 3, -2, 2)}};

TEST(FuseCodes, FunctionsOfOneValueAreATable) {
  Quantised q;
  TestGraph& t = q.t;
  const ValueId x = q.Around(t.Input("x", {Dim::Symbol("n"), 4, 8, 6}), 0.02f, 128);
  const ValueId gate = q.Around(t.Op("Sigmoid", {x}), 1 / 255.0f, 0);
  t.Output(q.Around(t.Op("Mul", {x, gate}), 0.01f, 30));
  const Graph after = q.Run(kImage, 0);
  EXPECT_EQ(CountOps(after), (Counts{{"QuantizeLinear", 1}, {"tamis.QuantizedLookup", 1}, {"DequantizeLinear", 1}}));
}

TEST(FuseCodes, PoolsGoInFrontOfActivations) {
  for (const char* activation : {"Relu", "Clip"}) {
    Quantised q;
    TestGraph& t = q.t;
    const ValueId x = q.Around(t.Input("x", {Dim::Symbol("n"), 4, 8, 6}), 0.02f, 128);
    std::vector<ValueId> operands = {x};
    if (std::string(activation) == "Clip") operands = {x, t.Scalar(-0.5f), t.Scalar(0.7f)};
    const ValueId y = t.Op(activation, operands);
    const Attributes window = {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}};
    t.Output(q.Around(t.Op("MaxPool", {y}, window), 0.013f, 3));
    const Graph after = q.Run(kImage, 0);
    EXPECT_EQ(CountOps(after),
              (Counts{{"QuantizeLinear", 1}, {"MaxPool", 1}, {"tamis.QuantizedLookup", 1}, {"DequantizeLinear", 1}}));
  }
}

TEST(FuseCodes, ProductsTakeTheTableBehindThem) {
  Quantised q;
  TestGraph& t = q.t;
  const ValueId x = q.Around(t.Input("x", {Dim::Symbol("n"), 4, 8, 6}), 0.02f, 128);
  const ValueId rounded = q.Around(q.Conv(x, 4, 8), 0.05f, 128);
  t.Output(q.Around(t.Op("Relu", {rounded}), 0.03f, 0));
  std::vector<Pass> passes = kPasses;
  passes.push_back({"fuse_epilogue", FuseEpilogue});
  const Graph after = q.Run(kImage, 0, passes);
  EXPECT_EQ(CountOps(after),
            (Counts{{"QuantizeLinear", 1}, {"Transpose", 2}, {"tamis.QuantizedConv", 1}, {"DequantizeLinear", 1}}));
}

TEST(FuseCodes, SumsPoolsAndMovesKeepCodes) {
  Quantised q;
  TestGraph& t = q.t;
  const ValueId x = q.Around(t.Input("x", {Dim::Symbol("n"), 4, 8, 6}), 0.02f, 128);
  const Attributes window = {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{1, 1}}, {"pads", Ints{1, 1, 1, 1}}};
  const ValueId pooled = q.Around(t.Op("MaxPool", {x}, window), 0.02f, 128);
  const ValueId sum = q.Around(t.Op("Relu", {t.Op("Add", {pooled, x})}), 0.03f, 3);
  const ValueId joined = q.Around(t.Op("Concat", {sum, x}, {{"axis", int64_t{1}}}), 0.03f, 100);
  const ValueId mean = q.Around(t.Op("GlobalAveragePool", {joined}), 0.02f, 90);
  t.Output(t.Op("Flatten", {mean}));
  const Graph after = q.Run(kImage, 0.02);
  EXPECT_EQ(CountOps(after), (Counts{{"QuantizeLinear", 1},
                                     {"Transpose", 1},
                                     {"tamis.ChannelsLastMaxPool", 1},
                                     {"tamis.QuantizedBinary", 1},
                                     {"tamis.QuantizedLookup", 2},
                                     {"Concat", 1},
                                     {"tamis.QuantizedGlobalAveragePool", 1},
                                     {"Reshape", 1},
                                     {"DequantizeLinear", 1}}));
}

TEST(FuseCodes, TheLaterConvolutionTakesTheResidual) {
  Quantised q;
  TestGraph& t = q.t;
  const ValueId x = q.Around(t.Input("x", {Dim::Symbol("n"), 4, 8, 6}), 0.02f, 128);
  const ValueId shortcut = q.Around(q.Conv(x, 4, 8), 0.02f, 120);
  const ValueId inner = q.Around(t.Op("Relu", {q.Conv(x, 4, 8)}), 0.015f, 0);
  const ValueId last = q.Around(q.Conv(inner, 8, 8), 0.05f, 128);
  t.Output(q.Around(t.Op("Relu", {t.Op("Add", {last, shortcut})}), 0.03f, 0));
  // The last convolution isn't rounded before the sum: half a step of its own, and one of the sum's.
  const Graph after = q.Run(kImage, 0.03 + 0.025);
  EXPECT_EQ(CountOps(after),
            (Counts{{"QuantizeLinear", 1}, {"Transpose", 3}, {"tamis.QuantizedConv", 3}, {"DequantizeLinear", 1}}));
  int residuals = 0;
  for (NodeId id : after.NodeIds())
    residuals += after.node(id).IsTamis("QuantizedConv") && after.node(id).inputs.size() == 5;
  EXPECT_EQ(residuals, 1);
}

TEST(FuseCodes, AResidualThatIsNotQuantisedStaysFloat) {
  Quantised q;
  TestGraph& t = q.t;
  const ValueId raw = t.Input("x", {Dim::Symbol("n"), 4, 8, 6});
  t.Output(t.Op("Gelu", {t.Op("Add", {raw, q.Conv(q.Around(raw, 0.02f, 128), 4, 4)})}, {}, ""));
  q.t.graph.opsets[""] = 20;
  const Graph after = q.Run(kImage, 1e-5);
  EXPECT_EQ(CountOps(after), (Counts{{"QuantizeLinear", 1}, {"Transpose", 3}, {"tamis.QuantizedConv", 1}}));
}

TEST(PushCodes, AttentionIsUncovered) {
  Quantised q;
  TestGraph& t = q.t;
  const ValueId x = t.Input("x", {2, 3, 6, 8});
  const ValueId scores = t.Op(
      "MatMul", {q.Around(x, 0.02f, 128),
                 q.Around(t.Op("Transpose", {q.Around(x, 0.02f, 128)}, {{"perm", Ints{0, 1, 3, 2}}}), 0.02f, 128)});
  const ValueId weights = q.Around(t.Op("Softmax", {q.Around(scores, 0.05f, 128)}), 1 / 255.0f, 0);
  t.Output(t.Op("MatMul", {weights, q.Around(x, 0.02f, 128)}));
  const Graph after = q.Run({{"x", RandomTensor({2, 3, 6, 8}, 3, -1, 1)}}, 0.1);
  EXPECT_EQ(CountOps(after).count("QuantizeLinear"), 0u);
  EXPECT_EQ(CountOps(after).count("DequantizeLinear"), 0u);
}

const Node* FindAttention(const Graph& graph) {
  for (NodeId id : graph.NodeIds()) {
    if (graph.node(id).IsTamis("Attention")) return &graph.node(id);
  }
  return nullptr;
}

// The codes nearest to a product count, as those of what it reads: here q is scaled between them and the product.
TEST(PushCodes, AttentionKnowsItsCodes) {
  for (const bool all : {true, false}) {
    Quantised q;
    TestGraph& t = q.t;
    const ValueId x = t.Input("x", {2, 3, 6, 8});
    const ValueId query = t.Op("Mul", {q.Around(q.Around(x, 0.01f, 120), 0.02f, 130), t.Scalar(0.5f)});
    const ValueId key = t.Op("Transpose", {q.Around(x, 0.03f, 110)}, {{"perm", Ints{0, 1, 3, 2}}});
    const ValueId weights = t.Op("Softmax", {q.Around(t.Op("MatMul", {query, key}), 0.05f, 128)});
    t.Output(t.Op("MatMul", {all ? q.Around(weights, 1 / 255.0f, 0) : weights, q.Around(x, 0.04f, 140)}));
    const Graph after = q.Run({{"x", RandomTensor({2, 3, 6, 8}, 3, -1, 1)}}, 0.1);
    const Node* attention = FindAttention(after);
    ASSERT_NE(attention, nullptr);
    ASSERT_EQ(attention->Has("q_scale"), all);
    if (!all) continue;
    EXPECT_FLOAT_EQ(attention->Float("scale", 0), 0.5f);
    EXPECT_FLOAT_EQ(attention->Float("q_scale", 0), 0.02f);
    EXPECT_EQ(attention->Int("q_zero_point", 0), 130);
    EXPECT_FLOAT_EQ(attention->Float("k_scale", 0), 0.03f);
    EXPECT_EQ(attention->Int("k_zero_point", 0), 110);
    EXPECT_FLOAT_EQ(attention->Float("v_scale", 0), 0.04f);
    EXPECT_EQ(attention->Int("v_zero_point", 0), 140);
  }
}

// A product that becomes part of no Attention is as if nothing had been rounded.
TEST(PushCodes, AProductThatStaysForgetsItsCodes) {
  Quantised q;
  const ValueId x = q.t.Input("x", {6, 6});
  q.t.Output(q.t.Op("MatMul", {q.Around(x, 0.02f, 128), q.Around(x, 0.03f, 110)}));
  const Graph after = q.Run({{"x", RandomTensor({6, 6}, 3, -1, 1)}}, 0.1);
  EXPECT_EQ(CountOps(after), (Counts{{"MatMul", 1}}));
  for (NodeId id : after.NodeIds()) EXPECT_TRUE(after.node(id).attributes.empty());
}

}  // namespace
}  // namespace tamis
