#include "src/ops/op_quantized.h"

#include <algorithm>
#include <cmath>

namespace tamis {

Epilogue QuantizedActivation(const Node& node) {
  Epilogue epilogue;
  epilogue.activation = ActivationFromName(node.String("activation", "")).value_or(Activation::kNone);
  epilogue.clip_min = node.Float("clip_min", 0);
  epilogue.clip_max = node.Float("clip_max", 0);
  epilogue.alpha = node.Float("alpha", 0);
  epilogue.beta = node.Float("beta", 0);
  return epilogue;
}

DType QuantizedOutputDType(const Node& node) {
  const int64_t number = node.Int("y_dtype", static_cast<int64_t>(DType::kFloat32));
  for (DType dtype : {DType::kUInt8, DType::kInt8}) {
    if (number == static_cast<int64_t>(dtype)) return dtype;
  }
  return DType::kFloat32;
}

void CheckZeroPoint(const Node& node, const std::string& name, DType dtype, NodeProblems* problems) {
  if (dtype != DType::kUInt8 && dtype != DType::kInt8) return;
  const int64_t zero = node.Int(name, 0), low = dtype == DType::kUInt8 ? 0 : -128, high = low + 255;
  if (zero < low || zero > high) {
    problems->Add("attribute '{}' is {}, must be a code in [{}, {}]", name, zero, low, high);
  }
}

void CheckQuantized(const Operands& operands, const Dim& outputs, NodeProblems* problems) {
  operands.CheckDType(1, {DType::kInt8}, problems);
  for (size_t i : {size_t{2}, size_t{3}}) {
    operands.CheckDType(i, {DType::kFloat32}, problems);
    operands.CheckShape(i, {outputs}, problems);
  }
  CheckZeroPoint(operands.node(), "x_zero_point", operands.dtype(0), problems);
  CheckQuantizedResult(operands.node(), problems);
  if (!operands.node().Has("table")) return;
  const DType y = QuantizedOutputDType(operands.node());
  if (y == DType::kFloat32) problems->Add("attribute 'table' needs 'y_dtype'");
  CheckTable(operands.node(), y, problems);
}

void CheckTable(const Node& node, DType dtype, NodeProblems* problems) {
  const std::vector<int64_t> table = node.Ints("table");
  if (table.size() != 256) problems->Add("attribute 'table' has {} codes, must have 256", table.size());
  const int64_t low = dtype == DType::kUInt8 ? 0 : -128, high = low + 255;
  if (std::any_of(table.begin(), table.end(), [&](int64_t code) { return code < low || code > high; })) {
    problems->Add("attribute 'table' has a code that is not in [{}, {}]", low, high);
  }
}

void CheckQuantizedResult(const Node& node, NodeProblems* problems) {
  if (!ActivationFromName(node.String("activation", ""))) {
    problems->Add("attribute 'activation' is '{}', which is not an activation", node.String("activation", ""));
  }
  if (node.Has("y_dtype") && QuantizedOutputDType(node) == DType::kFloat32) {
    problems->Add("attribute 'y_dtype' must name uint8 or int8");
  }
  if (node.Has("y_dtype") && !(node.Float("y_scale", 0) > 0)) problems->Add("attribute 'y_scale' must be positive");
  CheckZeroPoint(node, "y_zero_point", QuantizedOutputDType(node), problems);
}

void CheckQuantizedResidual(const Operands& operands, const Shape& y, NodeProblems* problems) {
  if (!operands.Has(4)) return;
  operands.CheckDType(4, {DType::kUInt8, DType::kInt8, DType::kFloat32}, problems);
  operands.CheckShape(4, y, problems);
  if (operands.dtype(4) != DType::kFloat32 && !(operands.node().Float("residual_scale", 0) > 0)) {
    problems->Add("attribute 'residual_scale' must be positive");
  }
  CheckZeroPoint(operands.node(), "residual_zero_point", operands.dtype(4), problems);
}

CodeReader::CodeReader(const Node& node, const std::string& name, const Tensor* tensor) : tensor_(tensor) {
  if (!Present() || tensor->dtype() == DType::kFloat32) return;
  scale_ = static_cast<double>(node.Float(name + "_scale", 1));
  zero_ = static_cast<double>(node.Int(name + "_zero_point", 0));
}

double CodeReader::operator()(int64_t index) const {
  switch (tensor_->dtype()) {
    case DType::kUInt8:
      return scale_ * (static_cast<double>(tensor_->Data<uint8_t>()[index]) - zero_);
    case DType::kInt8:
      return scale_ * (static_cast<double>(tensor_->Data<int8_t>()[index]) - zero_);
    default:
      return static_cast<double>(tensor_->Data<float>()[index]);
  }
}

CodeWriter::CodeWriter(const Node& node, Tensor& y)
    : epilogue_(QuantizedActivation(node)),
      y_(y),
      scale_(static_cast<double>(node.Float("y_scale", 1))),
      zero_(static_cast<double>(node.Int("y_zero_point", 0))),
      table_(node.Ints("table")) {}

void CodeWriter::Write(int64_t index, double value) const {
  value = Apply(epilogue_, value);
  if (y_.dtype() == DType::kFloat32) {
    y_.Data<float>()[index] = static_cast<float>(value);
    return;
  }
  const double code = std::nearbyint(value / scale_) + zero_;
  if (y_.dtype() == DType::kUInt8) {
    y_.Data<uint8_t>()[index] = static_cast<uint8_t>(std::clamp(code, 0.0, 255.0));
  } else {
    y_.Data<int8_t>()[index] = static_cast<int8_t>(std::clamp(code, -128.0, 127.0));
  }
  if (table_.empty()) return;
  std::byte& byte = y_.raw()[index];
  byte = static_cast<std::byte>(table_[std::to_integer<size_t>(byte)]);
}

QuantizedWriter::QuantizedWriter(const EvalContext& context, Tensor& y)
    : writer_(context.node, y),
      residual_(context.node, "residual", context.input(4)),
      scale_(context.input(2)->Data<float>()),
      bias_(context.input(3) != nullptr && context.input(3)->Defined() ? context.input(3)->Data<float>() : nullptr) {}

void QuantizedWriter::Write(int64_t index, int64_t channel, double sum, double factor) const {
  double value = factor * static_cast<double>(scale_[channel]) * sum;
  if (bias_ != nullptr) value += static_cast<double>(bias_[channel]);
  if (residual_.Present()) value += residual_(index);
  writer_.Write(index, value);
}

DynamicScale DynamicScaleOf(float lowest, float highest) {
  lowest = std::min(lowest, 0.0f);
  highest = std::max(highest, 0.0f);
  DynamicScale result;
  result.scale = (lowest == highest ? 1.0f : highest - lowest) / 255.0f;
  result.zero = static_cast<uint8_t>(std::clamp(std::nearbyint(0.0f - lowest / result.scale), 0.0f, 255.0f));
  return result;
}

uint8_t DynamicScale::Quantized(float x) const {
  return static_cast<uint8_t>(std::clamp(std::nearbyint(x / scale) + static_cast<float>(zero), 0.0f, 255.0f));
}

}  // namespace tamis
