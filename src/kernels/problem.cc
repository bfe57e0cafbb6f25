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

}  // namespace tamis
