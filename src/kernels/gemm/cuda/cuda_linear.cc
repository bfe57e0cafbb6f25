#include "src/kernels/gemm/cuda/cuda_linear.h"

#include <cstring>
#include <limits>

#include "src/kernels/operand_check.h"
#include "src/ops/op_tf32.h"

namespace tamis::cuda {

ActivationArgs ToArgs(const Epilogue& epilogue) {
  if (epilogue.activation == Activation::kClip) return {epilogue.activation, epilogue.clip_min, epilogue.clip_max};
  return {epilogue.activation, epilogue.alpha, epilogue.beta};
}

ActivationArgs ReadActivation(const Node& node) {
  return ToArgs(EpilogueOf(node));
}

Status CheckProductOperands(const Problem& problem, DType x_dtype, DType weight_dtype) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kTamisDomain));
  if (problem.input(0).dtype != x_dtype) {
    return UserError("x is {}, the kernel takes {}", Name(problem.input(0).dtype), Name(x_dtype));
  }
  if (problem.input(1).dtype != weight_dtype || problem.input(1).constant == nullptr) {
    return UserError("the weight must be a constant of {}", Name(weight_dtype));
  }
  TAMIS_RETURN_IF_ERROR(CheckF32IfPresent(problem.input(2), "bias"));
  const DType narrow = x_dtype == DType::kBFloat16 ? DType::kBFloat16 : DType::kFloat16;
  for (const auto& [operand, what] : {std::pair(problem.input(3), "residual"), std::pair(problem.outputs[0], "y")}) {
    if (operand.Present() && operand.dtype != narrow && operand.dtype != DType::kFloat32) {
      return UserError("{} is {}, the kernel takes {} or float32", what, Name(operand.dtype), Name(narrow));
    }
  }
  if (Elements(problem.outputs[0]) == 0) return UserError("the result is empty");
  if (Elements(problem.outputs[0]) > std::numeric_limits<int32_t>::max() ||
      Elements(problem.input(0)) > std::numeric_limits<int32_t>::max()) {
    return UserError("an operand has 2^31 elements or more");
  }
  return {};
}

Result<CudaLinear> ReadCudaLinear(const Problem& problem, DType operands) {
  TAMIS_RETURN_IF_ERROR(CheckProductOperands(problem, operands, operands));
  CudaLinear linear;
  linear.dtype = operands;
  const Dims& weight = problem.input(1).dims;
  linear.outputs = static_cast<int>(weight[0]);
  linear.depth = static_cast<int>(weight[1]);
  linear.rows = static_cast<int>(Elements(problem.outputs[0]) / weight[0]);
  linear.bias = problem.input(2).Present();
  linear.residual = problem.input(3).Present();
  linear.residual_f32 = problem.input(3).dtype == DType::kFloat32;
  linear.output_f32 = problem.outputs[0].dtype == DType::kFloat32;
  linear.activation = ReadActivation(*problem.node);
  linear.tf32 = AllowsTf32(*problem.node);
  if (operands == DType::kFloat32) TAMIS_RETURN_IF_ERROR(CheckF32Throughout(problem));
  return linear;
}

Status CheckF32Throughout(const Problem& problem) {
  const bool residual = !problem.input(3).Present() || problem.input(3).dtype == DType::kFloat32;
  if (problem.outputs[0].dtype == DType::kFloat32 && residual) return {};
  return UserError("x is float32, y or the residual is not");
}

Result<std::shared_ptr<const DeviceBytes>> HoldConstant(const Problem& problem, size_t index, PrepareContext& context) {
  const Operand& operand = problem.input(index);
  return context.Packed(operand.constant_hash, "as it is", operand.constant->NumBytes(),
                        [&](std::byte* to) { std::memcpy(to, operand.constant->raw(), operand.constant->NumBytes()); });
}

}  // namespace tamis::cuda
