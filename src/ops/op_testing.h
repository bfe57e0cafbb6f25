// Helpers of the operators' tests: one node, evaluated or inferred by itself.
#pragma once

#include <gtest/gtest.h>

#include <cmath>

#include "src/ops/op_case.h"
#include "src/ops/op_def.h"

namespace tamis::op_testing {

using Attributes = std::map<std::string, Attribute>;

struct OneNode {
  std::string op;
  std::string domain;
  Attributes attributes;
  int64_t opset = 21;
  size_t outputs = 1;
};

inline Node MakeNode(const OneNode& spec) {
  Node node;
  node.op = spec.op;
  node.domain = spec.domain;
  node.attributes = spec.attributes;
  for (size_t i = 0; i < spec.outputs; ++i) node.outputs.push_back(static_cast<ValueId>(i));
  return node;
}

// An undefined tensor is an omitted input.
inline Result<std::vector<Tensor>> Evaluate(const OneNode& spec, const std::vector<Tensor>& inputs) {
  Node node = MakeNode(spec);
  std::vector<const Tensor*> pointers;
  for (size_t i = 0; i < inputs.size(); ++i) {
    pointers.push_back(inputs[i].Defined() ? &inputs[i] : nullptr);
    node.inputs.push_back(inputs[i].Defined() ? static_cast<ValueId>(spec.outputs + i) : kNoValue);
  }
  return EvaluateNode(node, spec.opset, pointers);
}

// An undefined dtype is an omitted input. The types of the outputs.
inline Result<std::vector<Type>> Infer(const OneNode& spec, const std::vector<Type>& inputs) {
  Graph graph;
  graph.opsets[spec.domain] = spec.opset;
  Node node = MakeNode(spec);
  for (const Type& type : inputs) {
    node.inputs.push_back(type.dtype == DType::kUndefined ? kNoValue : graph.AddValue(graph.FreshName("x"), type));
  }
  for (ValueId& id : node.outputs) id = graph.AddValue(graph.FreshName("y"));
  const std::vector<ValueId> outputs = node.outputs;
  const NodeId id = graph.AddNode(std::move(node));
  TAMIS_RETURN_IF_ERROR(InferNode(graph, id));
  std::vector<Type> types;
  for (ValueId output : outputs) types.push_back(graph.value(output).type);
  return types;
}

inline Type F32(Shape shape) {
  return Type::Tensor(DType::kFloat32, std::move(shape));
}

// The inferred type of the first output as text, or the error.
inline std::string InferText(const OneNode& spec, const std::vector<Type>& inputs) {
  const auto types = Infer(spec, inputs);
  return types.ok() ? (*types)[0].ToString() : types.status().message();
}

inline std::string ErrorOf(const OneNode& spec, const std::vector<Tensor>& inputs) {
  const auto result = Evaluate(spec, inputs);
  return result.ok() ? "no error" : result.status().message();
}

// f32 results of sums in double: half a unit in the last place of the value, and the order of a double sum of terms
// that add up to `magnitude`.
inline void ExpectClose(const Tensor& actual, const std::vector<double>& expected, double magnitude) {
  ASSERT_EQ(actual.dtype(), DType::kFloat32);
  ASSERT_EQ(actual.NumElements(), static_cast<int64_t>(expected.size()));
  for (size_t i = 0; i < expected.size(); ++i) {
    const double tolerance = std::abs(expected[i]) * 0x1p-23 + magnitude * 0x1p-44;
    ASSERT_NEAR(static_cast<double>(actual.Data<float>()[i]), expected[i], tolerance) << "element " << i;
  }
}

inline Tensor Floats(Dims dims, const std::vector<float>& values) {
  return Tensor::Of<float>(DType::kFloat32, std::move(dims), values);
}

inline std::vector<float> Values(const Tensor& tensor) {
  const auto span = tensor.Span<float>();
  return {span.begin(), span.end()};
}

// The axes of a tensor in another order, as the ONNX operator Transpose.
inline Tensor Permuted(const Tensor& tensor, const std::vector<size_t>& order) {
  Dims dims;
  for (size_t axis : order) dims.push_back(tensor.dims()[axis]);
  Tensor result(DType::kFloat32, dims);
  for (int64_t i = 0; i < tensor.NumElements(); ++i) {
    std::vector<int64_t> index(order.size());
    int64_t rest = i;
    for (size_t axis = order.size(); axis-- > 0; rest /= tensor.dims()[axis]) index[axis] = rest % tensor.dims()[axis];
    int64_t to = 0;
    for (size_t axis = 0; axis < order.size(); ++axis) to = to * dims[axis] + index[order[axis]];
    result.Data<float>()[to] = tensor.Data<float>()[i];
  }
  return result;
}

}  // namespace tamis::op_testing
