// Test support: a case whose expected values are the operator's own reference evaluation, in double.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "src/kernels/family_test.h"
#include "src/ops/op_def.h"

namespace tamis::kernel_test {

// `constants`: inputs known at preparation. All `outputs` of the node are asked for.
inline KernelCase ReferenceCase(NodeSpec spec, std::vector<Tensor> inputs, std::vector<size_t> constants = {},
                                size_t outputs = 1, double absolute = 0, int64_t opset = 21) {
  KernelCase c;
  c.name = spec.op;
  for (const Tensor& input : inputs) {
    c.name += input.Defined() ? fmt::format(" {}{}", Name(input.dtype()), ToString(input.dims())) : " -";
  }
  Node node;
  node.op = spec.op;
  node.domain = spec.domain;
  node.attributes = spec.attributes;
  std::vector<const Tensor*> operands;
  for (size_t i = 0; i < inputs.size(); ++i) {
    operands.push_back(inputs[i].Defined() ? &inputs[i] : nullptr);
    node.inputs.push_back(inputs[i].Defined() ? static_cast<ValueId>(i) : kNoValue);
  }
  for (size_t i = 0; i < outputs; ++i) node.outputs.push_back(static_cast<ValueId>(inputs.size() + i));
  const auto results = EvaluateNode(node, opset, operands);
  EXPECT_TRUE(results.ok()) << c.name << ": " << results.status().message();
  if (results.ok()) {
    for (const Tensor& result : *results) {
      c.outputs.emplace_back(result.dtype(), result.dims());
      c.expected.push_back(Doubles(result));
    }
  }
  c.node = std::move(spec);
  c.inputs = std::move(inputs);
  c.constants = std::move(constants);
  c.absolute = absolute;
  return c;
}

// The tensor in another element type, as Cast converts.
inline Tensor Converted(const Tensor& tensor, DType dtype) {
  Node cast;
  cast.op = "Cast";
  cast.attributes["to"] = static_cast<int64_t>(dtype);
  cast.inputs = {0};
  cast.outputs = {1};
  const Tensor* operands[] = {&tensor};
  auto results = EvaluateNode(cast, 21, operands);
  EXPECT_TRUE(results.ok()) << results.status().message();
  return results.ok() ? (*results)[0] : Tensor();
}

// Uniform integers in [low, high].
inline Tensor RandomIndices(DType dtype, Dims dims, uint64_t seed, int64_t low, int64_t high) {
  const Tensor unit = RandomTensor(DType::kFloat32, std::move(dims), seed, 0, 1);
  Tensor tensor(dtype, unit.dims());
  for (int64_t i = 0; i < unit.NumElements(); ++i) {
    const auto width = static_cast<float>(high - low + 1);
    const int64_t value = std::min(high, low + static_cast<int64_t>(unit.Data<float>()[i] * width));
    if (dtype == DType::kInt64) {
      tensor.Data<int64_t>()[i] = value;
    } else {
      tensor.Data<int32_t>()[i] = static_cast<int32_t>(value);
    }
  }
  return tensor;
}

}  // namespace tamis::kernel_test
