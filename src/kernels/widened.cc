#include "src/kernels/widened.h"

#include "src/base/hash.h"
#include "src/kernels/operand_check.h"
#include "src/ops/ml/op_ml.h"

namespace tamis {
namespace {

bool IsHalf(const Operand& operand) {
  return operand.dtype == DType::kFloat16 || operand.dtype == DType::kBFloat16;
}

// Operators that are about the types of their operands.
bool MayWiden(const Node& node) {
  return !node.Is("Cast") && !node.Is("CastLike") && !node.Is("BitCast") &&
         (node.domain.empty() || node.domain == kTamisDomain || node.domain == kMlDomain);
}

// A problem in f32 with what it refers to.
struct Wide {
  Problem problem;
  std::vector<std::unique_ptr<Tensor>> constants;
  bool changed = false;
};

Wide WidenProblem(const Problem& problem) {
  Wide wide;
  wide.problem = problem;
  for (auto* operands : {&wide.problem.inputs, &wide.problem.outputs}) {
    for (Operand& operand : *operands) {
      if (!IsHalf(operand)) continue;
      wide.changed = true;
      operand.dtype = DType::kFloat32;
      if (operand.constant == nullptr) continue;
      wide.constants.push_back(std::make_unique<Tensor>(operand.constant->ToFloat32()));
      operand.constant = wide.constants.back().get();
      operand.constant_hash = HashTensor(*operand.constant);
    }
  }
  return wide;
}

Result<std::unique_ptr<PreparedKernel>> PrepareCast(const Operand& from, DType to, int threads, PackCache& cache) {
  Node node;
  node.op = "Cast";
  Problem problem;
  problem.node = &node;
  problem.threads = threads;
  problem.inputs.push_back(from);
  problem.outputs.push_back(from);
  problem.outputs[0].dtype = to;
  const auto kernels = CandidateKernels(problem, nullptr);
  TAMIS_ASSERT(!kernels.empty());
  return kernels.front()->prepare(problem, cache);
}

class WidenedNode : public PreparedKernel {
 public:
  // A conversion of operand `index`; its f32 side is a constant or lies in the workspace.
  struct Side {
    size_t index = 0;
    const Tensor* constant = nullptr;
    size_t offset = 0;
    std::unique_ptr<PreparedKernel> cast;
  };
  WidenedNode(std::unique_ptr<PreparedKernel> kernel, std::vector<Side> inputs, std::vector<Side> outputs,
              std::vector<std::unique_ptr<Tensor>> constants, size_t own_bytes, size_t num_inputs, size_t num_outputs)
      : kernel_(std::move(kernel)),
        inputs_(std::move(inputs)),
        outputs_(std::move(outputs)),
        constants_(std::move(constants)),
        own_bytes_(own_bytes),
        num_inputs_(num_inputs),
        num_outputs_(num_outputs) {}

  // Addresses of the operands, then their widened elements, then what the kernel needs.
  size_t WorkspaceBytes() const override { return own_bytes_ + kernel_->WorkspaceBytes(); }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    auto** in = reinterpret_cast<const void**>(workspace);
    auto** out = reinterpret_cast<void**>(workspace) + num_inputs_;
    for (size_t i = 0; i < num_inputs_; ++i) in[i] = i < inputs.size() ? inputs[i] : nullptr;
    for (size_t i = 0; i < num_outputs_; ++i) out[i] = i < outputs.size() ? outputs[i] : nullptr;
    for (const Side& side : inputs_) {
      if (side.constant != nullptr) {
        in[side.index] = side.constant->raw();
        continue;
      }
      void* const wide = workspace + side.offset;
      side.cast->Run(std::span(&inputs[side.index], 1), std::span(&wide, 1), nullptr, pool);
      in[side.index] = wide;
    }
    for (const Side& side : outputs_) {
      if (out[side.index] != nullptr) out[side.index] = workspace + side.offset;
    }
    kernel_->Run(std::span(in, num_inputs_), std::span(out, num_outputs_), workspace + own_bytes_, pool);
    for (const Side& side : outputs_) {
      const void* wide = workspace + side.offset;
      if (outputs[side.index] != nullptr) {
        side.cast->Run(std::span(&wide, 1), std::span(&outputs[side.index], 1), nullptr, pool);
      }
    }
  }

  // Only integers have values that a kernel could not stand, and they are as given.
  Status Check(std::span<const void* const> inputs) const override { return kernel_->Check(inputs); }

 private:
  std::unique_ptr<PreparedKernel> kernel_;
  std::vector<Side> inputs_, outputs_;
  std::vector<std::unique_ptr<Tensor>> constants_;
  size_t own_bytes_, num_inputs_, num_outputs_;
};

size_t Aligned(size_t bytes) {
  return (bytes + 127) / 64 * 64;  // and a vector to spare: kernels may load past the end
}

}  // namespace

const KernelDef* WidenedKernel(const Problem& problem) {
  if (!MayWiden(*problem.node)) return nullptr;
  const Wide wide = WidenProblem(problem);
  if (!wide.changed) return nullptr;
  const auto kernels = CandidateKernels(wide.problem, nullptr);
  return kernels.empty() ? nullptr : kernels.front();
}

Result<std::unique_ptr<PreparedKernel>> PrepareWidened(const KernelDef& kernel, const Problem& problem,
                                                       PackCache& cache) {
  Wide wide = WidenProblem(problem);
  TAMIS_ASSIGN_OR_RETURN(auto prepared, kernel.prepare(wide.problem, cache));
  size_t bytes = Aligned((problem.inputs.size() + problem.outputs.size()) * sizeof(void*));
  std::vector<WidenedNode::Side> inputs, outputs;
  for (size_t i = 0; i < problem.inputs.size(); ++i) {
    if (!IsHalf(problem.inputs[i])) continue;
    WidenedNode::Side& side = inputs.emplace_back();
    side.index = i;
    side.constant = wide.problem.inputs[i].constant;
    if (side.constant != nullptr) continue;
    side.offset = bytes;
    bytes += Aligned(Bytes(wide.problem.inputs[i]));
    TAMIS_ASSIGN_OR_RETURN(side.cast, PrepareCast(problem.inputs[i], DType::kFloat32, problem.threads, cache));
  }
  for (size_t i = 0; i < problem.outputs.size(); ++i) {
    if (!IsHalf(problem.outputs[i])) continue;
    WidenedNode::Side& side = outputs.emplace_back();
    side.index = i;
    side.offset = bytes;
    bytes += Aligned(Bytes(wide.problem.outputs[i]));
    TAMIS_ASSIGN_OR_RETURN(side.cast,
                           PrepareCast(wide.problem.outputs[i], problem.outputs[i].dtype, problem.threads, cache));
  }
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<WidenedNode>(std::move(prepared), std::move(inputs), std::move(outputs),
                                    std::move(wide.constants), bytes, problem.inputs.size(), problem.outputs.size()));
}

}  // namespace tamis
