#include "src/runtime/prepared_node.h"

#include <algorithm>
#include <cstring>

#include "src/kernels/kernel_threads.h"
#include "src/kernels/widened.h"

namespace tamis {
const KernelDef* ChooseKernel(const Problem& problem, const std::string& wish) {
  const auto candidates = CandidateKernels(problem, nullptr);
  if (const KernelDef* wanted = wish.empty() ? nullptr : FindKernel(wish)) {
    if (std::find(candidates.begin(), candidates.end(), wanted) != candidates.end()) return wanted;
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
    prepared->tactic_ = kernel->name;
    if (const auto [name, wanted] = SplitThreads(wish); name == kernel->name && wanted > 0 && wanted < threads) {
      prepared->problem_.threads = wanted;
      prepared->tactic_ = wish;
    }
    TAMIS_ASSIGN_OR_RETURN(prepared->kernel_, kernel->prepare(prepared->problem_, cache));
    prepared->in_place_ = kernel->in_place;
  } else if (const KernelDef* wide = WidenedKernel(prepared->problem_)) {
    TAMIS_ASSIGN_OR_RETURN(prepared->kernel_, PrepareWidened(*wide, prepared->problem_, cache));
    prepared->tactic_ = wide->name;
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
