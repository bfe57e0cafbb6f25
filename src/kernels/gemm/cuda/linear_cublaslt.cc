// Linear by cuBLASLt. Its variants are the library's heuristics, best expected first; the epilogue is the library's
// where it has it (bias, residual, ReLU), otherwise a pass of ours over the product. Of f16, bf16, f32 or tf32.
#include <vector>

#include "src/base/float16.h"
#include "src/kernels/cuda/float_types.h"
#include "src/kernels/cuda/settle.h"
#include "src/kernels/gemm/cuda/cuda_linear.h"
#include "src/kernels/gemm/cuda/cuda_lt_plan.h"
#include "src/kernels/gemm/cuda/finish_rows.h"

namespace tamis::cuda {
namespace {

constexpr int kVariants = 8;

// What the library's epilogues can say exactly. Its GELU is the tanh form, rounded as it likes.
bool FinishedByLibrary(const CudaLinear& linear) {
  const bool simple = linear.activation.kind == Activation::kNone || linear.activation.kind == Activation::kRelu;
  return simple && (!linear.residual || linear.residual_f32 == linear.output_f32);
}

LtProduct ProductOf(const CudaLinear& linear) {
  LtProduct product;
  product.rows = linear.rows, product.outputs = linear.outputs, product.depth = linear.depth;
  product.dtype = linear.dtype, product.output = linear.output_f32 ? DType::kFloat32 : linear.dtype;
  product.tf32 = linear.tf32;
  product.weight_transposed = true;
  if (FinishedByLibrary(linear)) {
    product.bias = linear.bias, product.relu = linear.activation.kind == Activation::kRelu;
  }
  return product;
}

class LinearCublasLt : public CudaKernel {
 public:
  LinearCublasLt(CublasLt& lt, const CudaLinear& linear)
      : lt_(lt), linear_(linear), library_finishes_(FinishedByLibrary(linear)), plan_(lt) {}

  Status Make(const Problem& problem, int variant, PrepareContext& context) {
    TAMIS_RETURN_IF_ERROR(plan_.Make(ProductOf(linear_)));
    TAMIS_ASSIGN_OR_RETURN(const auto heuristics, plan_.Heuristics(kVariants));
    if (static_cast<size_t>(variant) >= heuristics.size())
      return RuntimeError("cuBLASLt has no such algorithm any more");
    algorithm_ = heuristics[static_cast<size_t>(variant)];
    if (library_finishes_ && linear_.bias) {
      TAMIS_ASSIGN_OR_RETURN(bias_, HoldBias(problem, context));
      TAMIS_RETURN_IF_ERROR(plan_.Set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias_->data()));
    }
    return {};
  }

  size_t WorkspaceBytes() const override { return algorithm_.workspaceSize; }
  uint64_t PackedInputs() const override { return bias_ ? uint64_t{1} << 2 : 0; }

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void* workspace,
                 cudaStream_t stream) const override {
    const bool adds = library_finishes_ && linear_.residual;
    const float alpha = 1, beta = adds ? 1 : 0;
    const void* residual = in.size() > 3 ? in[3] : nullptr;
    TAMIS_CUDA_RETURN_IF_ERROR(SettleStream(stream));
    TAMIS_RETURN_IF_ERROR(CublasStatus(
        lt_.matmul(lt_.handle, plan_.desc, &alpha, in[1], plan_.w, in[0], plan_.x, &beta, adds ? residual : out[0],
                   plan_.c, out[0], plan_.y, &algorithm_.algo, workspace, algorithm_.workspaceSize, stream),
        "a product"));
    if (library_finishes_) return {};
    FinishRowsArgs finish = FinishRowsOf(linear_, linear_.rows);
    finish.y = out[0];
    finish.bias = in.size() > 2 ? static_cast<const float*>(in[2]) : nullptr;
    finish.residual = residual;
    return CudaStatus(LaunchFinishRows(finish, stream), "linear_cublaslt");
  }

 private:
  // The library wants the bias in the type of the result.
  Result<std::shared_ptr<const DeviceBytes>> HoldBias(const Problem& problem, PrepareContext& context) const {
    if (linear_.output_f32) return HoldConstant(problem, 2, context);
    const Tensor& bias = *problem.input(2).constant;
    const auto count = static_cast<size_t>(bias.NumElements());
    const auto narrow = linear_.dtype == DType::kBFloat16 ? FloatToBf16 : FloatToHalf;
    return context.Packed(problem.input(2).constant_hash, Name(linear_.dtype), count * 2, [&](std::byte* to) {
      for (size_t i = 0; i < count; ++i) reinterpret_cast<uint16_t*>(to)[i] = narrow(bias.Data<float>()[i]);
    });
  }

  CublasLt& lt_;
  CudaLinear linear_;
  bool library_finishes_;
  LtPlan plan_;
  cublasLtMatmulHeuristicResult_t algorithm_{};
  std::shared_ptr<const DeviceBytes> bias_;
};

Result<CudaLinear> Read(const Problem& problem) {
  const DType x = problem.input(0).dtype;
  TAMIS_ASSIGN_OR_RETURN(const CudaLinear linear, ReadCudaLinear(problem, IsComputedFloat(x) ? x : DType::kFloat16));
  if (linear.depth % 8 != 0 || linear.outputs % 8 != 0) {
    return UserError("{} outputs of depth {}: cuBLASLt wants multiples of 8", linear.outputs, linear.depth);
  }
  if (linear.bias && problem.input(2).constant == nullptr) return UserError("the bias is not a constant");
  return linear;
}

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const CudaLinear linear, Read(problem));
  TAMIS_ASSIGN_OR_RETURN(CublasLt * lt, context.cublaslt());
  LtPlan plan(*lt);
  TAMIS_RETURN_IF_ERROR(plan.Make(ProductOf(linear)));
  TAMIS_ASSIGN_OR_RETURN(const auto heuristics, plan.Heuristics(kVariants));
  if (heuristics.empty()) return UserError("cuBLASLt has no algorithm");
  return static_cast<int>(heuristics.size());
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int variant, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const CudaLinear linear, Read(problem));
  TAMIS_ASSIGN_OR_RETURN(CublasLt * lt, context.cublaslt());
  auto kernel = std::make_unique<LinearCublasLt>(*lt, linear);
  TAMIS_RETURN_IF_ERROR(kernel->Make(problem, variant, context));
  return std::unique_ptr<CudaKernel>(std::move(kernel));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_linear_cublaslt = {.name = "linear_cublaslt",
                                                          .family = "gemm",
                                                          .ops = {"Linear"},
                                                          .preference = 30,
                                                          .supports = Supports,
                                                          .prepare = Prepare};

}  // namespace tamis::cuda
