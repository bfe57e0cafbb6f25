#include "src/compiler/quantize/quantize_float8.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "src/ops/op_float8.h"
#include "src/passes/test_graph.h"

namespace tamis {
namespace {

constexpr int64_t kRows = 6;

// x -> MatMul, Add, Relu -> Gemm; MatMul of two activations, which stays.
TestGraph Network(int64_t opset = 21) {
  TestGraph t(opset);
  const ValueId x = t.Input("x", {Dim(kRows), Dim(32)});
  ValueId y = t.Op("MatMul", {x, t.Weight({32, 48})});
  y = t.Op("Relu", {t.Op("Add", {y, t.Weight({48})})});
  y = t.Op("Gemm", {y, t.Weight({16, 48}), t.Weight({16})}, {{"transB", int64_t{1}}});
  t.Output(t.Op("MatMul", {y, t.Op("Transpose", {y}, {{"perm", Dims{1, 0}}})}));
  return t;
}

std::vector<NamedTensors> Samples() {
  std::vector<NamedTensors> samples;
  for (uint32_t seed : {11, 12}) samples.push_back({{"x", RandomTensor({kRows, 32}, seed, -3, 2)}});
  return samples;
}

int Count(const Graph& graph, std::string_view op) {
  const auto ids = graph.NodeIds();
  return static_cast<int>(std::count_if(ids.begin(), ids.end(), [&](NodeId id) { return graph.node(id).op == op; }));
}

double LargestDifference(const Tensor& a, const Tensor& b) {
  double largest = 0;
  for (int64_t i = 0; i < a.NumElements(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(a.Data<float>()[i]) - b.Data<float>()[i]));
  }
  return largest;
}

TEST(QuantizeFloat8, RoundsTheOperandsOfProducts) {
  Graph graph = Network().graph;
  const auto samples = Samples();
  const Tensor before = Evaluate(graph, {{"x", samples[0].at("x")}})[0];
  const auto report = QuantizeToFloat8(graph, samples, {});
  ASSERT_TRUE(report.ok()) << report.status().message();
  ASSERT_TRUE(graph.Verify().ok()) << graph.ToString();
  EXPECT_EQ(report->Quantized(), 2);
  EXPECT_EQ(report->tensors.size(), 2u);
  EXPECT_EQ(Count(graph, "QuantizeLinear"), 2);
  EXPECT_EQ(Count(graph, "DequantizeLinear"), 4);
  for (const QuantizedLayer& layer : report->layers) {
    EXPECT_GT(layer.weight_error, 0);
    EXPECT_LT(layer.weight_error, 0x1p-8) << "a code is 2^-4 of itself off at most";
  }
  const Tensor after = Evaluate(graph, {{"x", samples[0].at("x")}})[0];
  double largest = 0;
  for (const float y : before.Span<const float>()) largest = std::max(largest, std::abs(static_cast<double>(y)));
  // Four roundings of 2^-4 on the way to a y, which is multiplied by another.
  EXPECT_LT(LargestDifference(before, after), largest * 8 * 0x1p-4);
  EXPECT_GT(LargestDifference(before, after), 0);
}

// What devices with such products get, computed as they do, is what the file says.
TEST(QuantizeFloat8, IsRecognisedAgain) {
  Graph graph = Network().graph;
  const auto samples = Samples();
  ASSERT_TRUE(QuantizeToFloat8(graph, samples, {}).ok());
  PassOptions options;
  options.float8 = true;
  const auto fused = Fuse(graph, options);
  ASSERT_TRUE(fused.ok()) << fused.status().message();
  int float8 = 0;
  for (const NodeId id : fused->NodeIds()) float8 += Float8ScaleOf(fused->node(id)).has_value();
  EXPECT_EQ(float8, 2) << fused->ToString();
  EXPECT_EQ(Count(*fused, "QuantizeLinear"), 0);
  Graph emulated = fused->Clone();
  EmulateFloat8(emulated);
  ASSERT_TRUE(emulated.Sort().ok());
  const Feeds feeds = {{"x", samples[1].at("x")}};
  // f32 sums in the same order; a code's number may be an f32 rounding off.
  EXPECT_LT(LargestDifference(Evaluate(graph, feeds)[0], Evaluate(emulated, feeds)[0]), 1e-3);

  const auto plain = Fuse(graph, {});
  ASSERT_TRUE(plain.ok()) << plain.status().message();
  EXPECT_FALSE(UsesFloat8(*plain)) << "other devices compute what the file says";
  EXPECT_EQ(Count(*plain, "QuantizeLinear"), 2);

  options.precision = DType::kFloat16;
  const auto half = Fuse(graph, options);
  ASSERT_TRUE(half.ok()) << half.status().message();
  float8 = 0;
  for (const NodeId id : half->NodeIds()) {
    const Node& node = half->node(id);
    if (!Float8ScaleOf(node)) continue;
    ++float8;
    EXPECT_EQ(half->value(node.inputs[0]).type.dtype, DType::kFloat16);
  }
  EXPECT_EQ(float8, 2) << half->ToString();
}

TEST(QuantizeFloat8, SaysWhatItCannotDo) {
  Graph old = Network(17).graph, named = Network().graph, unseen = Network().graph;
  const auto refused = QuantizeToFloat8(old, Samples(), {});
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.status().message().find("19 or newer"), std::string::npos);
  QuantizeOptions options;
  options.keep = {"no_such_layer"};
  const auto unknown = QuantizeToFloat8(named, Samples(), options);
  ASSERT_FALSE(unknown.ok());
  EXPECT_NE(unknown.status().message().find("no_such_layer"), std::string::npos);
  EXPECT_FALSE(QuantizeToFloat8(unseen, {}, {}).ok());
}

}  // namespace
}  // namespace tamis
