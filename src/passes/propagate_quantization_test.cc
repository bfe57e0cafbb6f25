// Quantised graphs as onnxruntime writes them, in code.
#include "src/passes/test_graph.h"

namespace tamis {
namespace {

using Ints = std::vector<int64_t>;
using Counts = std::map<std::string, int>;

const std::vector<Pass> kPasses = {{"fold_constants", FoldConstants},
                                   {"propagate_quantization", PropagateQuantization},
                                   {"fold_dequantized", FoldDequantized},
                                   {"make_channels_last", MakeChannelsLast},
                                   {"simplify_views", SimplifyViews}};

struct Quantised {
  TestGraph t{17};
  uint32_t seed = 1;

  ValueId Code(DType dtype, int64_t value) {
    Tensor tensor(dtype, Dims{});
    *reinterpret_cast<uint8_t*>(tensor.raw()) = static_cast<uint8_t>(value);
    return t.graph.AddConstant(t.graph.FreshName("zero"), tensor);
  }
  ValueId Codes(DType dtype, Dims dims) {
    Tensor tensor(dtype, std::move(dims));
    std::mt19937 generator(seed++);
    for (size_t i = 0; i < tensor.NumBytes(); ++i) tensor.raw()[i] = static_cast<std::byte>(generator() % 255 + 1);
    return t.graph.AddConstant(t.graph.FreshName("codes"), tensor);
  }
  ValueId Quantize(ValueId x, float scale, int64_t zero) {
    return t.Op("QuantizeLinear", {x, t.Scalar(scale), Code(DType::kUInt8, zero)});
  }
  ValueId Dequantize(ValueId codes, float scale, int64_t zero) {
    return t.Op("DequantizeLinear", {codes, t.Scalar(scale), Code(DType::kUInt8, zero)});
  }
  // Quantised and back, as activations stand between the operators.
  ValueId Around(ValueId x, float scale, int64_t zero) { return Dequantize(Quantize(x, scale, zero), scale, zero); }
  // An s8 weight with a scale for each index of `axis`.
  ValueId Weight(Dims dims, int64_t axis) {
    const int64_t columns = dims[static_cast<size_t>(axis)];
    const ValueId scales = t.Weight({columns}, 0.002f, 0.01f);
    const ValueId zeros = t.graph.AddConstant(t.graph.FreshName("zeros"), Tensor(DType::kInt8, {columns}));
    return t.Op("DequantizeLinear", {Codes(DType::kInt8, std::move(dims)), scales, zeros}, {{"axis", axis}});
  }
  ValueId Bias(int64_t columns) {
    Tensor codes(DType::kInt32, {columns});
    for (int64_t i = 0; i < columns; ++i) codes.Data<int32_t>()[i] = static_cast<int32_t>(37 * i - 100);
    const ValueId zeros = t.graph.AddConstant(t.graph.FreshName("zeros"), Tensor(DType::kInt32, {columns}));
    return t.Op("DequantizeLinear",
                {t.graph.AddConstant(t.graph.FreshName("bias"), codes), t.Weight({columns}, 1e-4f, 1e-3f), zeros},
                {{"axis", int64_t{0}}});
  }
  // What is left, after a comparison within one step of the last quantisation.
  Graph Run(const Feeds& feeds, double step) {
    Graph after = t.graph.Clone();
    const Status status = RunPasses(after, kPasses, {});
    EXPECT_TRUE(status.ok()) << status.message();
    const auto expected = Evaluate(t.graph, feeds), actual = Evaluate(after, feeds);
    EXPECT_EQ(expected.size(), actual.size());
    if (expected.empty() || actual.empty()) return after;
    const auto a = expected[0].ToFloat32(), b = actual[0].ToFloat32();
    EXPECT_EQ(a.dims(), b.dims());
    double largest = 0;
    for (int64_t i = 0; i < a.NumElements(); ++i) {
      largest = std::max<double>(largest, std::abs(a.Data<float>()[i] - b.Data<float>()[i]));
    }
    EXPECT_LE(largest, step * 1.001);
    return after;
  }
};

// The decoder of a quantised U-Net: an image enlarged, joined with another, and both quantised anew.
TEST(PropagateQuantization, TilesAreProductsOfCodes) {
  Quantised q;
  TestGraph& t = q.t;
  const ValueId x = q.Around(t.Input("x", {Dim::Symbol("n"), 4, 3, 5}), 0.02f, 128);
  const ValueId up = t.Op("ConvTranspose", {x, q.Weight({4, 6, 2, 3}, 1), q.Bias(6)}, {{"strides", Ints{2, 3}}});
  const ValueId y = q.Around(t.Op("Relu", {up}), 0.03f, 0);
  const ValueId last = t.Op("ConvTranspose", {y, q.Weight({6, 5, 2, 2}, 1)}, {{"strides", Ints{2, 2}}});
  t.Output(q.Around(last, 0.02f, 120));
  auto counts = CountOps(q.Run({{"x", RandomTensor({2, 4, 3, 5}, 3, -2.5f, 2.5f)}}, 0.02));
  EXPECT_EQ(counts["tamis.QuantizedConv"], 2);
  EXPECT_EQ(counts["ConvTranspose"], 0);
  EXPECT_EQ(counts["QuantizeLinear"], 1);
  EXPECT_EQ(counts["DequantizeLinear"], 1);
}

TEST(PropagateQuantization, TilesThatOverlapStay) {
  Quantised q;
  TestGraph& t = q.t;
  const ValueId x = q.Around(t.Input("x", {1, 4, 3, 5}), 0.02f, 128);
  t.Output(q.Around(t.Op("ConvTranspose", {x, q.Weight({4, 6, 3, 3}, 1)}, {{"strides", Ints{2, 2}}}), 0.03f, 120));
  auto counts = CountOps(q.Run({{"x", RandomTensor({1, 4, 3, 5}, 4)}}, 0.03));
  EXPECT_EQ(counts["tamis.QuantizedConv"], 0);
  EXPECT_EQ(counts["tamis.ChannelsLastConvTranspose"], 1);
}

TEST(PropagateQuantization, ConvolutionsKeepCodesBetweenThem) {
  Quantised q;
  TestGraph& t = q.t;
  const ValueId x = q.Around(t.Input("x", {Dim::Symbol("n"), 3, 8, 6}), 0.02f, 128);
  const auto conv = [&](ValueId from, int64_t in, int64_t out) {
    return t.Op("Conv", {from, q.Weight({out, in, 3, 3}, 0), q.Bias(out)}, {{"pads", Ints{1, 1, 1, 1}}});
  };
  const ValueId y = q.Around(t.Op("Relu", {conv(x, 3, 8)}), 0.03f, 0);
  t.Output(q.Around(conv(y, 8, 4), 0.05f, 120));
  const Graph after = q.Run({{"x", RandomTensor({2, 3, 8, 6}, 3, -2, 2)}}, 0.05);
  EXPECT_EQ(CountOps(after),
            (Counts{{"QuantizeLinear", 1}, {"Transpose", 2}, {"tamis.QuantizedConv", 2}, {"DequantizeLinear", 1}}));
  for (NodeId id : after.NodeIds()) {
    const Node& node = after.node(id);
    if (!node.IsTamis("QuantizedConv")) continue;
    EXPECT_EQ(after.value(node.inputs[1]).constant->dtype(), DType::kInt8);
    EXPECT_EQ(node.Int("y_dtype", 0), static_cast<int64_t>(DType::kUInt8));
    EXPECT_EQ(node.inputs.size(), 4u);
  }
}

TEST(PropagateQuantization, MatMulWithBiasAndGemm) {
  Quantised q;
  TestGraph& t = q.t;
  const ValueId x = q.Around(t.Input("x", {Dim::Symbol("n"), 12}), 0.02f, 100);
  const ValueId h = t.Op("Add", {t.Op("MatMul", {x, q.Weight({12, 16}, 1)}), t.Weight({16})});
  const ValueId y = q.Around(t.Op("Clip", {h, t.Scalar(0), t.Scalar(6)}), 0.02f, 0);
  t.Output(t.Op("Gemm", {y, q.Weight({5, 16}, 0), q.Bias(5)}, {{"transB", int64_t{1}}}));
  const Graph after = q.Run({{"x", RandomTensor({3, 12}, 4, -2, 2)}}, 0.02 * 0.01 * 128 * 2);
  EXPECT_EQ(CountOps(after), (Counts{{"QuantizeLinear", 1}, {"tamis.QuantizedLinear", 2}}));
}

// As onnxruntime quantises a transformer's products: the sums are rounded before the bias is added.
TEST(PropagateQuantization, ABiasBehindCodesIsTheProducts) {
  Quantised q;
  TestGraph& t = q.t;
  const ValueId x = q.Around(t.Input("x", {Dim::Symbol("n"), 12}), 0.02f, 100);
  const ValueId sums = q.Around(t.Op("MatMul", {x, q.Weight({12, 16}, 1)}), 0.12f, 128);
  t.Output(q.Around(t.Op("Add", {t.Weight({16}), sums}), 0.12f, 120));
  const Graph after = q.Run({{"x", RandomTensor({3, 12}, 4, -2, 2)}}, 0.12);
  EXPECT_EQ(CountOps(after), (Counts{{"DequantizeLinear", 1}, {"QuantizeLinear", 1}, {"tamis.QuantizedLinear", 1}}));
}

// The sum behind a transformer's product, which a norm reads in f32: the residual needs no dequantisation for it.
TEST(PropagateQuantization, ASumInF32TakesItsResidualAsCodes) {
  Quantised q;
  TestGraph& t = q.t;
  const ValueId x = q.Around(t.Input("x", {Dim::Symbol("n"), 16}), 0.02f, 100);
  const ValueId sum = t.Op("Add", {t.Op("MatMul", {x, q.Weight({16, 16}, 1)}), x});
  t.Output(t.Op("LayerNormalization", {sum, t.Weight({16})}));
  const Graph after = q.Run({{"x", RandomTensor({3, 16}, 4, -2, 2)}}, 1e-5);
  EXPECT_EQ(CountOps(after), (Counts{{"LayerNormalization", 1}, {"QuantizeLinear", 1}, {"tamis.QuantizedLinear", 1}}));
  for (const NodeId id : after.NodeIds()) {
    const Node& node = after.node(id);
    if (!node.IsTamis("QuantizedLinear")) continue;
    EXPECT_EQ(node.input(4), node.input(0));
  }
}

// Sums that something else reads as codes keep them.
TEST(PropagateQuantization, CodesThatOthersReadStayInFrontOfABias) {
  Quantised q;
  TestGraph& t = q.t;
  const ValueId x = q.Around(t.Input("x", {Dim::Symbol("n"), 12}), 0.02f, 100);
  const ValueId sums = q.Around(t.Op("MatMul", {x, q.Weight({12, 16}, 1)}), 0.12f, 128);
  t.Output(t.Op("Add", {t.Weight({16}), sums}));
  t.Output(t.Op("Relu", {sums}));
  const Graph after = q.Run({{"x", RandomTensor({3, 12}, 4, -2, 2)}}, 0.12);
  EXPECT_EQ(CountOps(after).count("Add"), 1u);
}

TEST(PropagateQuantization, ProductsOfTheOperatorFormat) {
  Quantised q;
  TestGraph& t = q.t;
  const ValueId x = q.Quantize(t.Input("x", {2, 3, 8, 6}), 0.02f, 128);
  Tensor bias(DType::kInt32, {4});
  for (int i = 0; i < 4; ++i) bias.Data<int32_t>()[i] = 50 * i;
  const ValueId y =
      t.Op("QLinearConv", {x, t.Scalar(0.02f), q.Code(DType::kUInt8, 128), q.Codes(DType::kInt8, {4, 3, 3, 3}),
                           t.Weight({4}, 0.002f, 0.01f), t.graph.AddConstant("zeros", Tensor(DType::kInt8, {4})),
                           t.Scalar(0.05f), q.Code(DType::kUInt8, 120), t.graph.AddConstant("bias", bias)});
  t.Output(q.Dequantize(y, 0.05f, 120));
  const Graph after = q.Run({{"x", RandomTensor({2, 3, 8, 6}, 3, -2, 2)}}, 0.05);
  EXPECT_EQ(CountOps(after),
            (Counts{{"QuantizeLinear", 1}, {"Transpose", 2}, {"tamis.QuantizedConv", 1}, {"DequantizeLinear", 1}}));
}

TEST(PropagateQuantization, DynamicQuantisation) {
  for (bool unsigned_weight : {false, true}) {
    Quantised q;
    TestGraph& t = q.t;
    const ValueId x = t.Input("x", {Dim::Symbol("n"), 12});
    const auto codes = t.Ops("DynamicQuantizeLinear", {x}, 3);
    const DType dtype = unsigned_weight ? DType::kUInt8 : DType::kInt8;
    const ValueId weight = q.Codes(dtype, {12, 9}), zero = q.Code(dtype, unsigned_weight ? 128 : 0);
    const ValueId sums = t.Op("MatMulInteger", {codes[0], weight, codes[2], zero});
    const ValueId cast = t.Op("Cast", {sums}, {{"to", int64_t{1}}});
    const ValueId scales = t.Op("Mul", {codes[1], t.Scalar(0.004f)});
    const ValueId product = t.Op("Mul", {cast, scales});
    t.Output(t.Op("Add", {product, t.Weight({9})}));
    const Graph after = q.Run({{"x", RandomTensor({3, 12}, 4, -2, 1)}}, 1e-5);
    EXPECT_EQ(CountOps(after), (Counts{{"tamis.DynamicQuantizedLinear", 1}}));
  }
}

TEST(PropagateQuantization, WeightsAloneAreEvaluatedInTheEnd) {
  Quantised q;
  TestGraph& t = q.t;
  t.Output(t.Op("MatMul", {t.Input("x", {2, 12}), q.Weight({12, 16}, 1)}));
  const Graph after = q.Run({{"x", RandomTensor({2, 12}, 4)}}, 1e-6);
  EXPECT_EQ(CountOps(after), (Counts{{"MatMul", 1}}));
}

}  // namespace
}  // namespace tamis
