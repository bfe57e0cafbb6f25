// recognize_float8: a Linear that reads numbers by way of float8e4m3fn codes of one scale, and whose weight's rows are
// such codes times a scale each, reads the numbers themselves and has the scale of x as an attribute
// (src/ops/op_float8.h): kernels round x where they read or make it. For devices that multiply such codes
// (PassOptions::float8); elsewhere the codes stay in the graph, so that what is computed is what the file says.
#include "src/ops/op_float8.h"
#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

struct Coding {
  ValueId numbers = kNoValue;  // of a DequantizeLinear the codes
  float scale = 0;
};

// Of a QuantizeLinear or DequantizeLinear with one scale, and zero as its zero point.
std::optional<Coding> CodingOf(const Graph& graph, const Node& node) {
  const Tensor* scale = graph.ConstantInput(node, 1);
  const Tensor* zero = graph.ConstantInput(node, 2);
  const ValueId codes = node.Is("QuantizeLinear") ? node.outputs[0] : node.input(0);
  const bool plain = scale != nullptr && scale->dtype() == DType::kFloat32 && scale->NumElements() == 1 &&
                     DTypeOf(graph, codes) == DType::kFloat8E4M3 && node.Int("block_size", 0) == 0 &&
                     node.Int("saturate", 1) != 0;
  if (!plain || (node.input(2) != kNoValue && (zero == nullptr || zero->NumElements() != 1))) return std::nullopt;
  if (zero != nullptr && (static_cast<int>(zero->raw()[0]) & 0x7f) != 0) return std::nullopt;
  const float number = scale->Data<float>()[0];
  return number > 0 ? std::optional(Coding{node.input(0), number}) : std::nullopt;
}

// Whether rounding the weight leaves it as it is.
bool HoldsCodes(const Tensor& weight) {
  const auto numbers = weight.Span<float>();
  const Float8Rows rows = RoundToFloat8(numbers, weight.dim(0));
  const auto depth = static_cast<size_t>(weight.dim(1));
  for (size_t i = 0; i < numbers.size(); ++i) {
    const float made = DecodeFloat8(rows.codes[i]) * rows.scales[i / depth];
    if (std::abs(made - numbers[i]) > 0x1p-20f * std::abs(numbers[i])) return false;
  }
  return true;
}

}  // namespace

Status RecognizeFloat8(Graph& graph, const PassOptions& options) {
  if (!options.float8) return {};
  Rewriter rewriter(graph, options);
  for (const NodeId id : graph.NodeIds()) {
    if (graph.node(id).removed || !graph.node(id).IsTamis("Linear")) continue;
    const Node& linear = graph.node(id);
    const Node* dequantize = Producer(graph, linear.input(0), "DequantizeLinear");
    if (dequantize == nullptr || DTypeOf(graph, dequantize->input(0)) != DType::kFloat8E4M3) continue;
    const auto missed = [&](std::string_view reason) {
      options.Missed(graph, linear.outputs[0], "float8 product", reason);
    };
    const Node* quantize = Producer(graph, dequantize->input(0), "QuantizeLinear");
    const auto codes = CodingOf(graph, *dequantize);
    const auto numbers = quantize == nullptr ? std::nullopt : CodingOf(graph, *quantize);
    const Tensor* weight = graph.ConstantInput(linear, 1);
    if (!codes || !numbers || codes->scale != numbers->scale) {
      missed("x is not quantised and dequantised with one constant scale and no zero point");
    } else if (DTypeOf(graph, numbers->numbers) != DType::kFloat32) {
      missed("what is quantised is not float32");
    } else if (weight == nullptr || weight->dtype() != DType::kFloat32 || weight->rank() != 2 || !HoldsCodes(*weight)) {
      missed("the weight is not codes with a scale an output");
    } else {
      options.Matched(graph, linear.outputs[0], "float8 product");
      graph.node(id).attributes[kFloat8Scale] = numbers->scale;
      rewriter.SetInput(id, 0, numbers->numbers);
    }
  }
  return {};
}

}  // namespace tamis
