// onnxruntime's integer operators: on codes with scales and zero points, or with ranges found while they run.
#include <array>

#include "src/onnx/contrib.h"
#include "src/onnx/contrib_node.h"

namespace tamis {
namespace {

std::string Dequantized(ContribNode& node, int at, const ContribNode::Attributes& attributes = {}) {
  return node.Emit("DequantizeLinear", {node.In(at), node.In(at + 1), node.In(at + 2)}, attributes);
}

// The scale at input `scale` and the zero point behind it, if there is one.
void GiveQuantized(ContribNode& node, const std::string& value, int scale) {
  node.Give(0, node.Emit("QuantizeLinear", {value, node.In(scale), node.In(scale + 1)}));
}

// `operands` of x, scale and zero point in turn; then scale and zero point of the result.
bool ExpandOnFloats(ContribNode& node, const std::string& op, int operands) {
  const int count = 3 * operands;
  if (node.Int("channels_last", 0) != 0) return false;
  if (node.num_inputs() != count + 1 && node.num_inputs() != count + 2) return false;
  ContribNode::Names inputs;
  for (int i = 0; i < count; i += 3) inputs.push_back(Dequantized(node, i));
  GiveQuantized(node, node.EmitLike(op, inputs, {"channels_last", "opset"}), count);
  return true;
}

bool ExpandConcat(ContribNode& node) {
  if (node.num_inputs() < 5 || (node.num_inputs() - 2) % 3 != 0) return false;
  ContribNode::Names inputs;
  for (int i = 2; i < node.num_inputs(); i += 3) inputs.push_back(Dequantized(node, i));
  GiveQuantized(node, node.EmitLike("Concat", inputs), 0);
  return true;
}

// condition; x, scale, zero point; y, scale, zero point; scale and zero point of the result.
bool ExpandWhere(ContribNode& node) {
  if (node.num_inputs() < 8 || node.num_inputs() > 9) return false;
  GiveQuantized(node, node.Emit("Where", {node.In(0), Dequantized(node, 1), Dequantized(node, 4)}), 7);
  return true;
}

bool ExpandReduceMean(ContribNode& node) {
  if (node.num_inputs() != 4 && node.num_inputs() != 5) return false;
  const std::vector<int64_t> axes = node.Ints("axes");
  if (axes.empty()) return false;
  GiveQuantized(node, node.ReduceMean(Dequantized(node, 0), axes, node.Int("keepdims", 1) != 0), 3);
  return true;
}

// The bias is of int32, in units of the product of both scales.
bool ExpandGemm(ContribNode& node) {
  if (node.num_inputs() < 6 || node.num_inputs() > 9) return false;
  const int64_t columns = node.Int("transB", 0) != 0 ? 0 : 1;
  ContribNode::Names operands = {Dequantized(node, 0), Dequantized(node, 3, {{"axis", columns}})};
  if (node.Has(6)) {
    const std::string unit = node.Emit("Mul", {node.In(1), node.In(4)});
    operands.push_back(node.Emit("DequantizeLinear", {node.In(6), unit}, {{"axis", int64_t{0}}}));
  }
  const std::string y = node.EmitLike("Gemm", operands);
  if (node.Has(7)) {
    GiveQuantized(node, y, 7);
  } else {
    node.Give(0, y);
  }
  return true;
}

struct Codes {
  std::string values, scale, zero_point;
};

// a . b in floats, of codes; plus a bias.
std::string IntegerProduct(ContribNode& node, const Codes& a, const Codes& b, const std::string& bias) {
  const std::string sums = node.Emit("MatMulInteger", {a.values, b.values, a.zero_point, b.zero_point});
  const std::string wide = node.Emit("Cast", {sums}, {{"to", int64_t{onnx::TensorProto::FLOAT}}});
  const std::string y = node.Emit("Mul", {wide, node.Emit("Mul", {a.scale, b.scale})});
  return node.AddIf(y, bias);
}

bool ExpandMatMulIntegerToFloat(ContribNode& node) {
  const Codes a = {node.In(0), node.In(2), node.In(4)}, b = {node.In(1), node.In(3), node.In(5)};
  node.Give(0, IntegerProduct(node, a, b, node.In(6)));
  return true;
}

bool ExpandDynamicQuantizeMatMul(ContribNode& node) {
  const auto x = node.EmitMany("DynamicQuantizeLinear", {node.In(0)}, {}, 3);
  node.Give(0, IntegerProduct(node, {x[0], x[1], x[2]}, {node.In(1), node.In(2), node.In(3)}, node.In(4)));
  return true;
}

// Weights [directions, inputs, gates * hidden] in codes, with a scale and zero point a direction or a column. The state
// is not rounded to codes in every step as onnxruntime does: the result is nearer to that of the float network.
bool ExpandLstm(ContribNode& node) {
  if (node.num_inputs() < 10) return false;
  const auto weight = [&node](int values, int scale) {
    const ContribNode::Attributes to_float = {{"to", int64_t{onnx::TensorProto::FLOAT}}};
    const auto per_column = [&node](const std::string& x) { return node.Reshape(x, {0, 1, -1}); };
    std::string w = node.Emit("Cast", {node.In(values)}, to_float);
    if (node.Has(scale + 1)) {
      w = node.Emit("Sub", {w, per_column(node.Emit("Cast", {node.In(scale + 1)}, to_float))});
    }
    return node.Transpose(node.Emit("Mul", {w, per_column(node.In(scale))}), {0, 2, 1});
  };
  const std::string w = weight(1, 8), r = weight(2, 10);
  node.EmitLike("LSTM", {node.In(0), w, r, node.In(3), node.In(4), node.In(5), node.In(6), node.In(7)});
  node.GiveAll();
  return true;
}

// onnxruntime's own take 4-bit and 16-bit codes in older operator sets too.
bool ExpandQuantizeLinear(ContribNode& node) {
  node.Give(0, node.EmitLike("QuantizeLinear", {node.In(0), node.In(1), node.In(2)}));
  return true;
}

bool ExpandDequantizeLinear(ContribNode& node) {
  node.Give(0, node.EmitLike("DequantizeLinear", {node.In(0), node.In(1), node.In(2)}));
  return true;
}

}  // namespace

std::span<const ContribRule> QuantizedRules() {
  static constexpr auto kRules = std::to_array<ContribRule>({
      {"QLinearAdd", [](ContribNode& node) { return ExpandOnFloats(node, "Add", 2); }},
      {"QLinearMul", [](ContribNode& node) { return ExpandOnFloats(node, "Mul", 2); }},
      {"QLinearSigmoid", [](ContribNode& node) { return ExpandOnFloats(node, "Sigmoid", 1); }},
      {"QLinearLeakyRelu", [](ContribNode& node) { return ExpandOnFloats(node, "LeakyRelu", 1); }},
      {"QLinearSoftmax", [](ContribNode& node) { return ExpandOnFloats(node, "Softmax", 1); }},
      {"QLinearAveragePool", [](ContribNode& node) { return ExpandOnFloats(node, "AveragePool", 1); }},
      {"QLinearGlobalAveragePool", [](ContribNode& node) { return ExpandOnFloats(node, "GlobalAveragePool", 1); }},
      {"QLinearConcat", ExpandConcat},
      {"QLinearWhere", ExpandWhere},
      {"QLinearReduceMean", ExpandReduceMean},
      {"QGemm", ExpandGemm},
      {"MatMulIntegerToFloat", ExpandMatMulIntegerToFloat},
      {"DynamicQuantizeMatMul", ExpandDynamicQuantizeMatMul},
      {"DynamicQuantizeLSTM", ExpandLstm},
      {"QuantizeLinear", ExpandQuantizeLinear},
      {"DequantizeLinear", ExpandDequantizeLinear},
  });
  return kRules;
}

}  // namespace tamis
