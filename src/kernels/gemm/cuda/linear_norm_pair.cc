// LinearNorm (src/cuda/fuse_for_cuda.h) as what it was made of: any kernel of Linear, then the norm. Variants are those
// of the kernels of Linear, one after the other in their order of preference.
#include "src/kernels/cuda/find_kernels.h"
#include "src/kernels/norm/cuda/norm_rows.h"
#include "src/kernels/operand_check.h"
#include "src/ops/op_tamis.h"

namespace tamis::cuda {
namespace {

constexpr size_t kLinearInputs = 4;

// The Linear of a LinearNorm.
struct LinearPart {
  Node node;
  Problem problem;

  explicit LinearPart(const Problem& whole) {
    node.op = "Linear";
    node.domain = whole.node->domain;
    node.attributes = whole.node->attributes;
    for (size_t i = 0; i < kLinearInputs && i < whole.inputs.size(); ++i) {
      node.inputs.push_back(whole.node->input(i));
      problem.inputs.push_back(whole.inputs[i]);
    }
    node.outputs = whole.node->outputs;
    problem.outputs = whole.outputs;
    problem.threads = whole.threads;
    problem.node = &node;
  }
  LinearPart(const LinearPart&) = delete;
  LinearPart& operator=(const LinearPart&) = delete;
};

Result<LayerNormArgs> ReadNorm(const Problem& problem) {
  const Operand& y = problem.outputs[0];
  if (y.dtype != DType::kFloat16 && y.dtype != DType::kBFloat16) {
    return UserError("y is {}, the kernel writes float16 or bfloat16", Name(y.dtype));
  }
  LayerNormArgs args;
  args.columns = static_cast<int>(y.dims.back());
  args.rows = static_cast<int>(Elements(y) / y.dims.back());
  args.epsilon = problem.node->Float("epsilon", 1e-5f);
  args.dtype = y.dtype;
  return args;
}

class LinearNormPair : public CudaKernel {
 public:
  LinearNormPair(std::unique_ptr<LinearPart> part, std::unique_ptr<CudaKernel> linear, const LayerNormArgs& norm)
      : part_(std::move(part)), linear_(std::move(linear)), norm_(norm) {}

  uint64_t PackedInputs() const override { return linear_->PackedInputs(); }
  size_t WorkspaceBytes() const override { return PlaceOfHandedOn(*linear_) + SumBytes(); }

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void* workspace,
                 cudaStream_t stream) const override {
    void* sums = static_cast<std::byte*>(workspace) + PlaceOfHandedOn(*linear_);
    TAMIS_RETURN_IF_ERROR(linear_->Enqueue(in.first(kLinearInputs), {&sums, 1}, workspace, stream));
    LayerNormArgs norm = norm_;
    norm.x = sums;
    norm.scale = in[4];
    norm.bias = in.size() > 5 ? in[5] : nullptr;
    norm.y = out[0];
    return CudaStatus(LaunchLayerNorm(norm, stream), "linear_norm_pair");
  }

 private:
  size_t SumBytes() const { return static_cast<size_t>(norm_.rows) * static_cast<size_t>(norm_.columns) * 2; }

  std::unique_ptr<LinearPart> part_;  // what linear_ was prepared from
  std::unique_ptr<CudaKernel> linear_;
  LayerNormArgs norm_;
};

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kTamisDomain));
  TAMIS_ASSIGN_OR_RETURN(const LayerNormArgs norm, ReadNorm(problem));
  static_cast<void>(norm);
  const LinearPart part(problem);
  const auto found = FindKernels(part.problem, context);
  if (found.empty()) return UserError("no kernel computes the product");
  return static_cast<int>(found.size());
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int variant, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const LayerNormArgs norm, ReadNorm(problem));
  auto part = std::make_unique<LinearPart>(problem);
  const FoundKernel found = FindKernels(part->problem, context)[static_cast<size_t>(variant)];
  TAMIS_ASSIGN_OR_RETURN(auto linear, found.def->prepare(part->problem, found.variant, context));
  return std::unique_ptr<CudaKernel>(std::make_unique<LinearNormPair>(std::move(part), std::move(linear), norm));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_linear_norm_pair = {.name = "linear_norm_pair",
                                                           .family = "gemm",
                                                           .ops = {"LinearNorm"},
                                                           .preference = 20,
                                                           .supports = Supports,
                                                           .prepare = Prepare};

}  // namespace tamis::cuda
