// LinearNorm (src/cuda/fuse_for_cuda.h) in one kernel on Hopper: the blocks of a cluster hold all outputs of their
// rows, so that the norm is part of the product's epilogue. The weight is 2:4 or dense.
#include "src/kernels/cuda/launch.h"
#include "src/kernels/gemm/cuda/cuda_gemm24.h"
#include "src/kernels/operand_check.h"

namespace tamis::cuda {
namespace {

class LinearNormWgmma : public CudaKernel {
 public:
  LinearNormWgmma(const Gemm24Problem& gemm, const Gemm24Tactic& tactic, std::shared_ptr<const DeviceBytes> weight)
      : gemm_(gemm), tactic_(tactic), weight_(std::move(weight)) {}

  uint64_t PackedInputs() const override { return uint64_t{1} << 1; }

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    const Gemm24Operands operands{in[0],  weight_->data(), static_cast<const float*>(in[2]), in[3],
                                  out[0], in[4],           in.size() > 5 ? in[5] : nullptr};
    return CudaStatus(Gemm24Wgmma(gemm_, tactic_, operands, MayOverlapLaunches(), stream), "linear_norm_wgmma");
  }

 private:
  Gemm24Problem gemm_;
  Gemm24Tactic tactic_;
  std::shared_ptr<const DeviceBytes> weight_;
};

struct Choice {
  Gemm24Problem gemm;
  Gemm24Tactic tactic;
};

// Those of the 2:4 weight first, then those of the same weight taken as dense.
Result<std::vector<Choice>> Choices(const Problem& problem, const Device& device) {
  std::vector<Choice> choices;
  for (const bool dense : {false, true}) {
    if (!dense && problem.input(1).pattern != Pattern::kTwoFour) continue;
    TAMIS_ASSIGN_OR_RETURN(Gemm24Problem gemm, ReadGemm24(problem, dense));
    TAMIS_RETURN_IF_ERROR(CheckGemm24Wgmma(gemm, device));
    if (gemm.activation.kind != Activation::kNone) return UserError("an activation before the norm");
    for (const size_t i : {size_t{4}, size_t{5}}) {
      const Operand& parameter = problem.input(i);
      const DType x = problem.input(0).dtype;
      if (parameter.Present() && (parameter.dtype != x || Elements(parameter) != gemm.outputs)) {
        return UserError("input {} is not one {} for each output", i, Name(x));
      }
    }
    gemm.norm = true;
    gemm.epsilon = problem.node->Float("epsilon", 1e-5f);
    for (const Gemm24Tactic& tactic : Gemm24WgmmaTactics(gemm, device.multiprocessors))
      choices.push_back({gemm, tactic});
  }
  if (choices.empty()) return UserError("no cluster of blocks holds {} outputs", problem.input(1).dims[0]);
  return choices;
}

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto choices, Choices(problem, context.device()));
  return static_cast<int>(choices.size());
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int variant, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto choices, Choices(problem, context.device()));
  const auto& [gemm, tactic] = choices[static_cast<size_t>(variant)];
  TAMIS_CUDA_RETURN_IF_ERROR(AllowGemm24Wgmma(gemm, tactic));
  TAMIS_ASSIGN_OR_RETURN(auto weight, HoldWeight(kGemm24Wgmma, gemm, problem, context));
  return std::unique_ptr<CudaKernel>(std::make_unique<LinearNormWgmma>(gemm, tactic, std::move(weight)));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_linear_norm_wgmma = {.name = "linear_norm_wgmma",
                                                            .family = "gemm",
                                                            .ops = {"LinearNorm"},
                                                            .compute = 90,
                                                            .preference = 10,
                                                            .supports = Supports,
                                                            .prepare = Prepare};

}  // namespace tamis::cuda
