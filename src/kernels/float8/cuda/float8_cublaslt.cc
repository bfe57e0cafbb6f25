// Float8Linear by cuBLASLt, whose variants are the library's heuristics. It multiplies the sums by one number, the
// largest scale; a pass of ours does the rest.
#include <algorithm>

#include "src/kernels/cuda/settle.h"
#include "src/kernels/float8/cuda/cuda_float8.h"
#include "src/kernels/gemm/cuda/cuda_linear.h"
#include "src/kernels/gemm/cuda/cuda_lt_plan.h"
#include "src/kernels/gemm/cuda/finish_rows.h"

namespace tamis::cuda {
namespace {

constexpr int kVariants = 8;

LtProduct ProductOf(const CudaFloat8& float8) {
  LtProduct product;
  product.rows = float8.rows, product.outputs = float8.outputs, product.depth = float8.depth;
  product.dtype = DType::kFloat8E4M3, product.output = float8.y;
  product.weight_transposed = true;
  return product;
}

class Float8CublasLt : public CudaKernel {
 public:
  Float8CublasLt(CublasLt& lt, const CudaFloat8& float8) : lt_(lt), float8_(float8), plan_(lt) {}

  Status Make(const Problem& problem, int variant, PrepareContext& context) {
    TAMIS_RETURN_IF_ERROR(plan_.Make(ProductOf(float8_)));
    TAMIS_ASSIGN_OR_RETURN(const auto heuristics, plan_.Heuristics(kVariants));
    if (static_cast<size_t>(variant) >= heuristics.size())
      return RuntimeError("cuBLASLt has no such algorithm any more");
    algorithm_ = heuristics[static_cast<size_t>(variant)];
    const auto scales = problem.input(2).constant->Span<const float>();
    largest_ = *std::max_element(scales.begin(), scales.end());
    TAMIS_ASSIGN_OR_RETURN(scales_, context.Packed(problem.input(2).constant_hash, "shares of the largest",
                                                   scales.size() * sizeof(float), [&](std::byte* to) {
                                                     std::transform(scales.begin(), scales.end(),
                                                                    reinterpret_cast<float*>(to),
                                                                    [this](float s) { return s / largest_; });
                                                   }));
    return {};
  }

  size_t WorkspaceBytes() const override { return algorithm_.workspaceSize; }
  uint64_t PackedInputs() const override { return 0b100; }

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void* workspace,
                 cudaStream_t stream) const override {
    const float beta = 0;
    TAMIS_CUDA_RETURN_IF_ERROR(SettleStream(stream));
    TAMIS_RETURN_IF_ERROR(CublasStatus(
        lt_.matmul(lt_.handle, plan_.desc, &largest_, in[1], plan_.w, in[0], plan_.x, &beta, out[0], plan_.c, out[0],
                   plan_.y, &algorithm_.algo, workspace, algorithm_.workspaceSize, stream),
        "a product of float8"));
    FinishRowsArgs finish;
    finish.y = out[0];
    finish.scales = static_cast<const float*>(scales_->data());
    finish.bias = in.size() > 3 ? static_cast<const float*>(in[3]) : nullptr;
    finish.residual = in.size() > 4 ? in[4] : nullptr;
    finish.rows = float8_.rows, finish.outputs = float8_.outputs;
    finish.y_dtype = float8_.y, finish.residual_dtype = float8_.residual_dtype;
    finish.activation = float8_.activation;
    return CudaStatus(LaunchFinishRows(finish, stream), "float8_cublaslt");
  }

 private:
  CublasLt& lt_;
  CudaFloat8 float8_;
  LtPlan plan_;
  cublasLtMatmulHeuristicResult_t algorithm_{};
  float largest_ = 1;
  std::shared_ptr<const DeviceBytes> scales_;
};

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const CudaFloat8 float8, ReadCudaFloat8(problem));
  TAMIS_ASSIGN_OR_RETURN(CublasLt * lt, context.cublaslt());
  LtPlan plan(*lt);
  TAMIS_RETURN_IF_ERROR(plan.Make(ProductOf(float8)));
  TAMIS_ASSIGN_OR_RETURN(const auto heuristics, plan.Heuristics(kVariants));
  if (heuristics.empty()) return UserError("cuBLASLt has no algorithm");
  return static_cast<int>(heuristics.size());
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int variant, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const CudaFloat8 float8, ReadCudaFloat8(problem));
  TAMIS_ASSIGN_OR_RETURN(CublasLt * lt, context.cublaslt());
  auto kernel = std::make_unique<Float8CublasLt>(*lt, float8);
  TAMIS_RETURN_IF_ERROR(kernel->Make(problem, variant, context));
  return std::unique_ptr<CudaKernel>(std::move(kernel));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_float8_cublaslt = {.name = "float8_cublaslt",
                                                          .family = "float8",
                                                          .ops = {"Float8Linear"},
                                                          .compute = 89,
                                                          .preference = 30,
                                                          .supports = Supports,
                                                          .prepare = Prepare};

}  // namespace tamis::cuda
