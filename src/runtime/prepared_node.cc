#include "src/runtime/prepared_node.h"

#include <cstring>

#include "src/base/hash.h"

namespace tamis {
namespace {

Result<Operand> MakeOperand(const Graph& graph, const Node& node, ValueId id) {
  Operand operand;
  if (id == kNoValue) return operand;
  const Value& value = graph.value(id);
  const auto dims = value.type.has_rank ? ConstantDims(value.type.shape) : std::nullopt;
  if (!value.type.IsTensor() || !dims) {
    return UserError(
        "{} '{}': the shape of '{}' is {}, which is not known before the node runs. Networks whose shapes depend on "
        "the data are not supported yet",
        node.op, node.name, value.name, value.type.ToString());
  }
  if (NumElements(*dims) < 0) return UserError("{} '{}': '{}' is too large: {}", node.op, node.name, value.name, ToString(*dims));
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

const KernelDef* ChooseKernel(const Problem& problem, const std::string& wish) {
  const auto candidates = CandidateKernels(problem, nullptr);
  if (!wish.empty()) {
    for (const KernelDef* kernel : candidates) {
      if (kernel->name == wish) return kernel;
    }
  }
  return candidates.empty() ? nullptr : candidates.front();
}

Result<std::unique_ptr<PreparedNode>> PreparedNode::Make(const Graph& graph, const Node& node, int threads,
                                                         const std::string& wish, PackCache& cache) {
  auto prepared = std::unique_ptr<PreparedNode>(new PreparedNode());
  TAMIS_ASSIGN_OR_RETURN(prepared->problem_, MakeProblem(graph, node, threads));
  prepared->opset_ = graph.Opset(node.domain);
  prepared->tactic_ = "reference";
  if (const KernelDef* kernel = ChooseKernel(prepared->problem_, wish)) {
    TAMIS_ASSIGN_OR_RETURN(prepared->kernel_, kernel->prepare(prepared->problem_, cache));
    prepared->tactic_ = kernel->name;
  }
  return prepared;
}

Status PreparedNode::Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
                         ThreadPool& pool) const {
  if (kernel_ == nullptr) return RunReference(inputs, outputs);
  TAMIS_RETURN_IF_ERROR(kernel_->Check(inputs));
  kernel_->Run(inputs, outputs, workspace, pool);
  return {};
}

Status PreparedNode::RunReference(std::span<const void* const> inputs, std::span<void* const> outputs) const {
  std::vector<Tensor> tensors(problem_.inputs.size());
  std::vector<const Tensor*> operands(problem_.inputs.size(), nullptr);
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Operand& operand = problem_.inputs[i];
    if (!operand.Present()) continue;
    tensors[i] = operand.constant ? *operand.constant : Tensor::View(operand.dtype, operand.dims, inputs[i], nullptr);
    operands[i] = &tensors[i];
  }
  std::vector<DType> dtypes;
  for (const Operand& output : problem_.outputs) dtypes.push_back(output.dtype);
  TAMIS_ASSIGN_OR_RETURN(std::vector<Tensor> results, EvaluateNode(*problem_.node, opset_, operands, dtypes));
  for (size_t i = 0; i < results.size(); ++i) {
    const Operand& output = problem_.outputs[i];
    if (!output.Present() || outputs[i] == nullptr) continue;
    if (results[i].dims() != output.dims || results[i].dtype() != output.dtype) {
      return InternalError("{} '{}': the reference gave {}{}, shape inference said {}{}", problem_.node->op,
                           problem_.node->name, Name(results[i].dtype()), ToString(results[i].dims()),
                           Name(output.dtype), ToString(output.dims));
    }
    if (results[i].NumBytes() > 0) std::memcpy(outputs[i], results[i].raw(), results[i].NumBytes());
  }
  return {};
}

}  // namespace tamis
