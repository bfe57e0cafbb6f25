#include "src/kernels/problem.h"

#include <algorithm>
#include <array>

#include "src/base/hash.h"

namespace tamis {
namespace {

Result<Operand> MakeOperand(const Graph& graph, const Node& node, ValueId id) {
  Operand operand;
  if (id == kNoValue) return operand;
  const Value& value = graph.value(id);
  const auto dims = value.type.has_rank ? ConstantDims(value.type.shape) : std::nullopt;
  if (!value.type.IsTensor() || !dims) {
    return UserError("{} '{}': the shape of '{}' is {}, which is not known before the node runs", node.op, node.name,
                     value.name, value.type.ToString());
  }
  if (NumElements(*dims) < 0)
    return UserError("{} '{}': '{}' is too large: {}", node.op, node.name, value.name, ToString(*dims));
  operand.dtype = value.type.dtype;
  operand.dims = *dims;
  if (value.constant) {
    operand.constant = &*value.constant;
    operand.constant_hash = value.constant_hash != 0 ? value.constant_hash : HashTensor(*value.constant);
    operand.pattern = value.pattern;
  }
  return operand;
}

// Before opset 13 Softmax, LogSoftmax and Hardmax take all axes from `axis` on as one: their kernels, which do not see
// the opset, are shown an input with that one axis. The elements are the same.
void FlattenOldSoftmax(int64_t opset, Problem* problem) {
  const Node& node = *problem->node;
  if (opset >= 13 || !node.domain.empty() ||
      (node.op != "Softmax" && node.op != "LogSoftmax" && node.op != "Hardmax")) {
    return;
  }
  Operand& input = problem->inputs[0];
  const auto rank = static_cast<int64_t>(input.dims.size());
  const int64_t axis = node.Int("axis", 1);
  const bool computed = input.dtype == DType::kFloat32 || input.dtype == DType::kBFloat16 ||
                        input.dtype == DType::kFloat16;  // by a kernel
  if (!computed || axis < -rank || axis >= rank) return;
  const auto first = input.dims.begin() + (axis < 0 ? axis + rank : axis);
  const int64_t elements = NumElements(std::span<const int64_t>(first, input.dims.end()));
  input.dims.erase(first, input.dims.end());
  input.dims.push_back(elements);
  // A negative axis still counts from the end.
  if (axis < 0) input.dims.insert(input.dims.end(), static_cast<size_t>(-axis - 1), 1);
}

}  // namespace

const Operand& Problem::input(size_t i) const {
  static const Operand kOmitted;
  return i < inputs.size() ? inputs[i] : kOmitted;
}

Result<Problem> MakeProblem(const Graph& graph, const Node& node, int threads) {
  Problem problem;
  problem.node = &node;
  problem.threads = threads;
  for (ValueId id : node.inputs) {
    TAMIS_ASSIGN_OR_RETURN(Operand operand, MakeOperand(graph, node, id));
    problem.inputs.push_back(std::move(operand));
  }
  for (ValueId id : node.outputs) {
    TAMIS_ASSIGN_OR_RETURN(Operand operand, MakeOperand(graph, node, id));
    problem.outputs.push_back(std::move(operand));
  }
  FlattenOldSoftmax(graph.Opset(node.domain), &problem);
  return problem;
}

bool IsConcrete(const Graph& graph, const Node& node) {
  const auto is_concrete = [&](ValueId id) {
    if (id == kNoValue) return true;
    const Type& type = graph.value(id).type;
    return type.IsTensor() && type.has_rank && ConstantDims(type.shape) && BitSize(type.dtype) > 0;
  };
  return node.regions.empty() && std::all_of(node.inputs.begin(), node.inputs.end(), is_concrete) &&
         std::all_of(node.outputs.begin(), node.outputs.end(), is_concrete);
}

bool IsView(const Node& node) {
  static constexpr std::array<std::string_view, 5> kViews = {"Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity"};
  return node.domain.empty() && std::find(kViews.begin(), kViews.end(), node.op) != kViews.end();
}

bool NeedsTwoFour(const std::string& kernel_name, const Problem& problem) {
  const KernelDef* kernel = FindKernel(kernel_name);
  if (kernel == nullptr || problem.inputs.size() < 2 || problem.inputs[1].pattern == Pattern::kDense) return false;
  Problem dense = problem;
  dense.inputs[1].pattern = Pattern::kDense;
  return !kernel->supports(dense).ok();
}

}  // namespace tamis
