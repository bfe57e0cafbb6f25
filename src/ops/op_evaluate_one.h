// For tests: one operator on given tensors.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "src/ops/op_def.h"

namespace tamis::op_values {

template <class T>
constexpr DType DTypeOf() {
  if constexpr (std::is_same_v<T, float>) return DType::kFloat32;
  if constexpr (std::is_same_v<T, double>) return DType::kFloat64;
  if constexpr (std::is_same_v<T, int8_t>) return DType::kInt8;
  if constexpr (std::is_same_v<T, uint8_t>) return DType::kUInt8;
  if constexpr (std::is_same_v<T, int32_t>) return DType::kInt32;
  if constexpr (std::is_same_v<T, uint32_t>) return DType::kUInt32;
  return DType::kInt64;
}

// A tensor of the element type's dtype; without dimensions, of one dimension.
template <class T>
Tensor Of(std::vector<T> values, Dims dims) {
  return Tensor::Of<T>(DTypeOf<T>(), std::move(dims), std::span<const T>(values));
}
template <class T>
Tensor Of(std::vector<T> values) {
  const auto size = static_cast<int64_t>(values.size());
  return Of<T>(std::move(values), {size});
}
inline Tensor Bools(std::vector<uint8_t> values, Dims dims) {
  return Tensor::Of<uint8_t>(DType::kBool, std::move(dims), std::span<const uint8_t>(values));
}

struct OneOp {
  std::string op;
  std::map<std::string, Attribute> attributes = {};
  int64_t opset = 21;
  size_t outputs = 1;

  // Undefined tensors are omitted inputs.
  Result<std::vector<Tensor>> operator()(const std::vector<Tensor>& inputs) const {
    Node node;
    node.op = op;
    node.attributes = attributes;
    std::vector<const Tensor*> pointers;
    for (const Tensor& input : inputs) {
      pointers.push_back(input.Defined() ? &input : nullptr);
      node.inputs.push_back(input.Defined() ? static_cast<ValueId>(node.inputs.size()) : kNoValue);
    }
    for (size_t i = 0; i < outputs; ++i) node.outputs.push_back(static_cast<ValueId>(inputs.size() + i));
    return EvaluateNode(node, opset, pointers);
  }
};

// "float32[2, 2] {1, 2.5, 3, 4}" or the error: one line that a test can compare.
inline std::string Text(const Tensor& tensor) {
  std::string text = std::string(Name(tensor.dtype())) + ToString(tensor.dims()) + " {";
  const bool is_float = IsFloat(tensor.dtype());
  const Tensor floats = is_float ? tensor.ToFloat32() : Tensor();
  const auto integers = is_float ? std::vector<int64_t>() : tensor.ToInt64s();
  for (int64_t i = 0; i < tensor.NumElements(); ++i) {
    const auto at = static_cast<size_t>(i);
    text += (i ? ", " : "") + (is_float ? fmt::format("{}", floats.Data<float>()[at]) : std::to_string(integers[at]));
  }
  return text + "}";
}
inline std::string Text(const Result<std::vector<Tensor>>& results, size_t i = 0) {
  return results.ok() ? Text((*results)[i]) : "error: " + results.status().message();
}
inline bool Fails(const Result<std::vector<Tensor>>& results) {
  return !results.ok();
}

}  // namespace tamis::op_values
