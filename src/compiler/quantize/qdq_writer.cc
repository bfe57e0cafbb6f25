#include "src/compiler/quantize/qdq_writer.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "src/passes/channels_last.h"
#include "src/passes/match.h"

namespace tamis {

Tensor Floats(const std::vector<float>& values) {
  return Tensor::Of<float>(DType::kFloat32, {static_cast<int64_t>(values.size())}, std::span<const float>(values));
}

void QdqWriter::QuantizeWeight(QuantizeProduct* product) {
  const ValueId weight_id = graph_.node(product->node).input(1), x = graph_.node(product->node).input(0);
  const std::string name = graph_.value(weight_id).name;
  const Tensor original = *graph_.value(weight_id).constant;
  const Tensor rows = product->outputs_first ? original : Transposed(original, {1, 0});
  const int64_t outputs = rows.dim(0), columns = rows.NumElements() / std::max<int64_t>(outputs, 1);
  const auto rounded = choices_.rounded.find(name);
  const bool given = rounded != choices_.rounded.end();
  const WeightCodes codes = given ? QuantizeRowsAt(rows.Span<float>(), rounded->second.scales)
                                  : QuantizeRows(rows.Span<float>(), outputs, choices_.clip_weights);
  product->report.weight_error = given ? rounded->second.weight_error : codes.relative_error;
  const Tensor coded = Tensor::Of<int8_t>(DType::kInt8, rows.dims(), std::span<const int8_t>(codes.codes));
  const ValueId code_id = rewriter_.AddConstant(name + std::string(kCodesSuffix),
                                                product->outputs_first ? coded : Transposed(coded, {1, 0}));
  const ValueId scale_id = rewriter_.AddConstant(name + "_scales", Floats(codes.scales));
  const ValueId zero_id = rewriter_.AddConstant(name + "_zeros", Tensor(DType::kInt8, {outputs}));
  const ValueId dequantized = rewriter_.Append(
      "DequantizeLinear", "", {code_id, scale_id, zero_id}, {{"axis", int64_t{product->outputs_first ? 0 : 1}}},
      name + std::string(kNumbersSuffix), Type::Tensor(DType::kFloat32, ToShape(original.dims())));
  rewriter_.SetInput(product->node, 1, dequantized);

  std::vector<float> shift(static_cast<size_t>(outputs), 0);
  if (choices_.correct_bias) shift = MeanErrors(*product, rows, codes, columns);
  if (graph_.node(product->node).Is("MatMul")) {
    product->report.bias_moved = choices_.correct_bias && ShiftAddend(product->node, shift);
  } else {
    product->report.bias_moved = choices_.correct_bias;
    QuantizeBias(product->node, name, shift, codes.scales, choices_.maps.at(x).scale);
  }
}

// What to add to each output so that its mean is the float weight's: sum_k (W - W^) E[x].
std::vector<float> QdqWriter::MeanErrors(const QuantizeProduct& product, const Tensor& rows, const WeightCodes& codes,
                                         int64_t columns) const {
  const std::vector<double>& means = choices_.statistics.at(graph_.node(product.node).input(0)).means;
  const int64_t outputs = rows.dim(0);
  const int64_t taps = product.conv ? columns / rows.dim(1) : 1, channels = columns / taps;
  const int64_t group = product.conv ? graph_.node(product.node).Int("group", 1) : 1, filters = outputs / group;
  std::vector<float> shift(static_cast<size_t>(outputs), 0);
  if (static_cast<int64_t>(means.size()) != channels * group) return shift;
  const float* w = rows.Data<float>();
  for (int64_t n = 0; n < outputs; ++n) {
    double sum = 0;
    for (int64_t k = 0; k < columns; ++k) {
      const auto at = static_cast<size_t>(n * columns + k);
      const double error =
          static_cast<double>(w[at]) - static_cast<double>(codes.scales[static_cast<size_t>(n)]) * codes.codes[at];
      sum += error * means[static_cast<size_t>(n / filters * channels + k / taps)];
    }
    shift[static_cast<size_t>(n)] = static_cast<float>(sum);
  }
  return shift;
}

// The bias of a Conv or Gemm as int32 in units of the products.
void QdqWriter::QuantizeBias(NodeId id, const std::string& name, std::vector<float> bias,
                             const std::vector<float>& scales, float x_scale) {
  const Tensor* old = graph_.ConstantInput(graph_.node(id), 2);
  const bool given = graph_.node(id).input(2) != kNoValue;
  if (given && (old == nullptr || old->NumElements() != static_cast<int64_t>(bias.size()))) return;
  if (!given && !choices_.correct_bias) return;
  Tensor codes(DType::kInt32, {static_cast<int64_t>(bias.size())});
  std::vector<float> units;
  for (size_t n = 0; n < bias.size(); ++n) {
    if (given) bias[n] += old->Data<float>()[n];
    const double unit = static_cast<double>(x_scale) * static_cast<double>(scales[n]);
    units.push_back(static_cast<float>(unit));
    codes.Data<int32_t>()[n] =
        static_cast<int32_t>(std::clamp(std::nearbyint(bias[n] / unit), -2147483648.0, 2147483647.0));
  }
  const Shape shape = ToShape(codes.dims());
  const ValueId code_id = rewriter_.AddConstant(name + "_bias_codes", std::move(codes));
  const ValueId unit_id = rewriter_.AddConstant(name + "_bias_units", Floats(units));
  const ValueId dequantized = rewriter_.Append("DequantizeLinear", "", {code_id, unit_id}, {{"axis", int64_t{0}}},
                                               name + "_bias_dequantized", Type::Tensor(DType::kFloat32, shape));
  if (graph_.node(id).inputs.size() > 2) {
    rewriter_.SetInput(id, 2, dequantized);
    return;
  }
  const Node& node = graph_.node(id);
  std::vector<ValueId> inputs = node.inputs;
  inputs.resize(3, kNoValue);
  inputs[2] = dequantized;
  rewriter_.Replace(id, MakeNode(node.op, "", std::move(inputs), node.outputs, node.attributes, node.name));
}

// A MatMul's bias is the constant that its only reader adds.
bool QdqWriter::ShiftAddend(NodeId id, const std::vector<float>& shift) {
  const ValueId product = graph_.node(id).outputs[0];
  if (!rewriter_.SingleUse(product)) return false;
  const NodeId reader = rewriter_.Users(product)[0];
  const auto addend = graph_.node(reader).Is("Add") ? OtherOperand(graph_.node(reader), product) : std::nullopt;
  if (!addend || !graph_.value(*addend).IsConstant()) return false;
  Tensor bias = graph_.value(*addend).constant->Clone();
  if (bias.dtype() != DType::kFloat32 || bias.NumElements() != static_cast<int64_t>(shift.size()) ||
      bias.dim(-1) != bias.NumElements()) {
    return false;
  }
  for (size_t n = 0; n < shift.size(); ++n) bias.Data<float>()[n] += shift[n];
  const size_t index = graph_.node(reader).input(0) == *addend ? 0 : 1;
  rewriter_.SetInput(reader, index, rewriter_.ChangedConstant(*addend, std::move(bias)));
  return true;
}

void QdqWriter::InsertCodes(ValueId value) {
  const CodeMap map = choices_.maps.at(value);
  const std::string name = graph_.value(value).name;
  const Type type = graph_.value(value).type;
  const std::vector<NodeId> users = rewriter_.Users(value);
  Tensor zero(map.dtype, Dims{});
  zero.raw()[0] = static_cast<std::byte>(map.zero);
  const ValueId scale_id = rewriter_.AddConstant(name + "_scale", Tensor::Float(map.scale));
  const ValueId zero_id = rewriter_.AddConstant(name + "_zero_point", std::move(zero));
  Type code_type = type;
  code_type.dtype = map.dtype;
  const ValueId codes =
      rewriter_.Append("QuantizeLinear", "", {value, scale_id, zero_id}, {}, name + "_quantized", code_type);
  const ValueId numbers =
      rewriter_.Append("DequantizeLinear", "", {codes, scale_id, zero_id}, {}, name + "_coded", type);
  for (const NodeId user : std::set<NodeId>(users.begin(), users.end())) {
    for (size_t i = 0; i < graph_.node(user).inputs.size(); ++i) {
      if (graph_.node(user).input(i) == value) rewriter_.SetInput(user, i, numbers);
    }
  }
}

}  // namespace tamis
