// Linear on tensor cores, by warp or warpgroup products: any number of rows, every epilogue fused, the depth split over
// a cluster where rows are few.
#include "src/kernels/gemm/cuda/cuda_linear.h"
#include "src/kernels/gemm/cuda/cuda_mma_choice.h"

namespace tamis::cuda {
namespace {

constexpr size_t kVariants = 10;

class LinearMma : public CudaKernel {
 public:
  LinearMma(const CudaLinear& linear, MmaChoice choice) : choice_(choice) {
    args_.rows = linear.rows;
    args_.outputs = linear.outputs;
    args_.depth = linear.depth;
    args_.residual_f32 = linear.residual_f32;
    args_.output_f32 = linear.output_f32;
    args_.activation = linear.activation;
  }

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    MmaArgs args = args_;
    args.x = in[0];
    args.w = in[1];
    args.bias = in.size() > 2 ? static_cast<const float*>(in[2]) : nullptr;
    args.residual = in.size() > 3 ? in[3] : nullptr;
    args.y = out[0];
    return CudaStatus(LaunchChoice<MmaSource::kRows>(choice_, args, stream), "linear_mma_f16");
  }

 private:
  MmaArgs args_;
  MmaChoice choice_;
};

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const CudaLinear linear, ReadCudaLinear(problem));
  if (linear.depth % 8 != 0) return UserError("the depth {} is not a multiple of 8", linear.depth);
  const auto choices =
      MmaChoices(context.device(), MmaSource::kRows, linear.rows, linear.outputs, linear.depth, kVariants);
  if (choices.empty()) return UserError("the GPU's shared memory is too small");
  return static_cast<int>(choices.size());
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int variant, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const CudaLinear linear, ReadCudaLinear(problem));
  const auto choices =
      MmaChoices(context.device(), MmaSource::kRows, linear.rows, linear.outputs, linear.depth, kVariants);
  const MmaChoice choice = choices[static_cast<size_t>(variant)];
  TAMIS_CUDA_RETURN_IF_ERROR(PrepareChoice<MmaSource::kRows>(choice));
  return std::unique_ptr<CudaKernel>(std::make_unique<LinearMma>(linear, choice));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_linear_mma_f16 = {.name = "linear_mma_f16",
                                                         .family = "gemm",
                                                         .ops = {"Linear"},
                                                         .preference = 20,
                                                         .supports = Supports,
                                                         .prepare = Prepare};

}  // namespace tamis::cuda
