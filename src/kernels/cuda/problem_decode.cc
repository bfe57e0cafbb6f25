#include "src/kernels/cuda/problem_decode.h"

#include <sstream>

namespace tamis::cuda {
namespace {

Attribute DecodeAttribute(const TamisCudaAttribute& attribute) {
  switch (attribute.kind) {
    case TAMIS_CUDA_FLOAT:
      return attribute.f;
    case TAMIS_CUDA_TEXT:
      return std::string(attribute.text);
    case TAMIS_CUDA_INTS:
      return std::vector<int64_t>(attribute.ints, attribute.ints + attribute.count);
    case TAMIS_CUDA_LINES: {
      std::vector<std::string> lines;
      std::istringstream text(attribute.text);
      for (std::string line; std::getline(text, line);) lines.push_back(line);
      return lines;
    }
    case TAMIS_CUDA_FLOATS:
      return std::vector<float>(attribute.floats, attribute.floats + attribute.count);
    default:
      return attribute.i;
  }
}

Operand DecodeOperand(const TamisCudaOperand& from, Tensor* constant) {
  Operand operand;
  operand.dtype = static_cast<DType>(from.dtype);
  operand.dims.assign(from.dims, from.dims + from.rank);
  operand.pattern = static_cast<Pattern>(from.pattern);
  operand.constant_hash = from.constant_hash;
  if (from.constant != nullptr) {
    *constant = Tensor::View(operand.dtype, operand.dims, from.constant, nullptr);
    operand.constant = constant;
  }
  return operand;
}

}  // namespace

std::unique_ptr<DecodedProblem> DecodeProblem(const TamisCudaProblem& problem) {
  auto decoded = std::make_unique<DecodedProblem>();
  Node& node = decoded->node;
  node.op = problem.op;
  node.domain = problem.domain;
  for (uint32_t i = 0; i < problem.attribute_count; ++i) {
    node.attributes[problem.attributes[i].key] = DecodeAttribute(problem.attributes[i]);
  }
  decoded->constants.resize(problem.input_count);
  for (uint32_t i = 0; i < problem.input_count; ++i) {
    decoded->problem.inputs.push_back(DecodeOperand(problem.inputs[i], &decoded->constants[i]));
    node.inputs.push_back(problem.inputs[i].dtype == 0 ? kNoValue : static_cast<ValueId>(i));
  }
  for (uint32_t i = 0; i < problem.output_count; ++i) {
    Tensor none;
    decoded->problem.outputs.push_back(DecodeOperand(problem.outputs[i], &none));
    const bool omitted = problem.outputs[i].dtype == 0;
    node.outputs.push_back(omitted ? kNoValue : static_cast<ValueId>(problem.input_count + i));
  }
  decoded->problem.node = &node;
  return decoded;
}

}  // namespace tamis::cuda
