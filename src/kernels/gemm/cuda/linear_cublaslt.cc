// Linear by cuBLASLt. Its variants are the library's heuristics, best expected first; the epilogue is the library's
// where it has it (bias, residual, ReLU), otherwise a pass of ours over the product.
#include <cuda_fp16.h>

#include <vector>

#include "src/base/float16.h"
#include "src/kernels/cuda/cublaslt.h"
#include "src/kernels/cuda/settle.h"
#include "src/kernels/gemm/cuda/cuda_linear.h"
#include "src/kernels/gemm/cuda/finish_rows.h"

namespace tamis::cuda {
namespace {

constexpr int kVariants = 8;
constexpr size_t kWorkspace = size_t{32} << 20;

// Descriptors of one product. y^T [outputs, rows] = w [outputs, depth] . x^T [depth, rows], column by column, which is
// what row-major tensors are to a column-major library.
class Plan {
 public:
  explicit Plan(CublasLt& lt) : lt_(lt) {}
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan() {
    if (desc) lt_.desc_destroy(desc);
    for (cublasLtMatrixLayout_t layout : {w, x, c, y}) {
      if (layout) lt_.layout_destroy(layout);
    }
  }

  Status Make(const CudaLinear& linear) {
    library_finishes = FinishedByLibrary(linear);
    TAMIS_RETURN_IF_ERROR(CublasStatus(lt_.desc_create(&desc, CUBLAS_COMPUTE_32F, CUDA_R_32F), "a product"));
    const cublasOperation_t transposed = CUBLAS_OP_T;
    TAMIS_RETURN_IF_ERROR(Set(CUBLASLT_MATMUL_DESC_TRANSA, transposed));
    if (library_finishes && (linear.bias || linear.activation.kind == Activation::kRelu)) {
      const bool relu = linear.activation.kind == Activation::kRelu;
      const cublasLtEpilogue_t epilogue = !linear.bias ? CUBLASLT_EPILOGUE_RELU
                                          : relu       ? CUBLASLT_EPILOGUE_RELU_BIAS
                                                       : CUBLASLT_EPILOGUE_BIAS;
      TAMIS_RETURN_IF_ERROR(Set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue));
    }
    const auto outputs = static_cast<uint64_t>(linear.outputs);
    const auto rows = static_cast<uint64_t>(linear.rows);
    const auto depth = static_cast<uint64_t>(linear.depth);
    const cudaDataType type = linear.output_f32 ? CUDA_R_32F : CUDA_R_16F;
    TAMIS_RETURN_IF_ERROR(CublasStatus(lt_.layout_create(&w, CUDA_R_16F, depth, outputs, linear.depth), "a layout"));
    TAMIS_RETURN_IF_ERROR(CublasStatus(lt_.layout_create(&x, CUDA_R_16F, depth, rows, linear.depth), "a layout"));
    TAMIS_RETURN_IF_ERROR(CublasStatus(lt_.layout_create(&c, type, outputs, rows, linear.outputs), "a layout"));
    return CublasStatus(lt_.layout_create(&y, type, outputs, rows, linear.outputs), "a layout");
  }

  // What the library's epilogues can say exactly. Its GELU is the tanh form, rounded as it likes.
  static bool FinishedByLibrary(const CudaLinear& linear) {
    const bool simple = linear.activation.kind == Activation::kNone || linear.activation.kind == Activation::kRelu;
    return simple && (!linear.residual || linear.residual_f32 == linear.output_f32);
  }

  Result<std::vector<cublasLtMatmulHeuristicResult_t>> Heuristics() const {
    cublasLtMatmulPreference_t preference = nullptr;
    TAMIS_RETURN_IF_ERROR(CublasStatus(lt_.preference_create(&preference), "a preference"));
    size_t workspace = kWorkspace;
    lt_.preference_set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof(workspace));
    std::vector<cublasLtMatmulHeuristicResult_t> results(kVariants);
    int count = 0;
    const cublasStatus_t status =
        lt_.heuristic(lt_.handle, desc, w, x, c, y, preference, kVariants, results.data(), &count);
    lt_.preference_destroy(preference);
    TAMIS_RETURN_IF_ERROR(CublasStatus(status, "finding an algorithm"));
    results.resize(static_cast<size_t>(count));
    return results;
  }

  template <class T>
  Status Set(cublasLtMatmulDescAttributes_t attribute, const T& value) const {
    return CublasStatus(lt_.desc_set(desc, attribute, &value, sizeof(value)), "describing a product");
  }

  cublasLtMatmulDesc_t desc = nullptr;
  cublasLtMatrixLayout_t w = nullptr, x = nullptr, c = nullptr, y = nullptr;
  bool library_finishes = false;

 private:
  CublasLt& lt_;
};

class LinearCublasLt : public CudaKernel {
 public:
  LinearCublasLt(CublasLt& lt, const CudaLinear& linear) : lt_(lt), linear_(linear), plan_(lt) {}

  Status Make(const Problem& problem, int variant, PrepareContext& context) {
    TAMIS_RETURN_IF_ERROR(plan_.Make(linear_));
    TAMIS_ASSIGN_OR_RETURN(const auto heuristics, plan_.Heuristics());
    if (static_cast<size_t>(variant) >= heuristics.size())
      return RuntimeError("cuBLASLt has no such algorithm any more");
    algorithm_ = heuristics[static_cast<size_t>(variant)];
    if (plan_.library_finishes && linear_.bias) {
      TAMIS_ASSIGN_OR_RETURN(bias_, HoldBias(problem, context));
      TAMIS_RETURN_IF_ERROR(plan_.Set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias_->data()));
    }
    return {};
  }

  size_t WorkspaceBytes() const override { return algorithm_.workspaceSize; }
  uint64_t PackedInputs() const override { return bias_ ? uint64_t{1} << 2 : 0; }

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void* workspace,
                 cudaStream_t stream) const override {
    const bool adds = plan_.library_finishes && linear_.residual;
    const float alpha = 1, beta = adds ? 1 : 0;
    const void* residual = in.size() > 3 ? in[3] : nullptr;
    TAMIS_CUDA_RETURN_IF_ERROR(SettleStream(stream));
    TAMIS_RETURN_IF_ERROR(CublasStatus(
        lt_.matmul(lt_.handle, plan_.desc, &alpha, in[1], plan_.w, in[0], plan_.x, &beta, adds ? residual : out[0],
                   plan_.c, out[0], plan_.y, &algorithm_.algo, workspace, algorithm_.workspaceSize, stream),
        "a product"));
    if (plan_.library_finishes) return {};
    FinishRowsArgs finish;
    finish.y = out[0];
    finish.bias = in.size() > 2 ? static_cast<const float*>(in[2]) : nullptr;
    finish.residual = residual;
    finish.rows = linear_.rows;
    finish.outputs = linear_.outputs;
    finish.y_f32 = linear_.output_f32;
    finish.residual_f32 = linear_.residual_f32;
    finish.activation = linear_.activation;
    return CudaStatus(LaunchFinishRows(finish, stream), "linear_cublaslt");
  }

 private:
  // The library wants the bias in the type of the result.
  Result<std::shared_ptr<const DeviceBytes>> HoldBias(const Problem& problem, PrepareContext& context) const {
    if (linear_.output_f32) return HoldConstant(problem, 2, context);
    const Tensor& bias = *problem.input(2).constant;
    const auto count = static_cast<size_t>(bias.NumElements());
    return context.Packed(problem.input(2).constant_hash, "float16", count * 2, [&](std::byte* to) {
      for (size_t i = 0; i < count; ++i) reinterpret_cast<uint16_t*>(to)[i] = FloatToHalf(bias.Data<float>()[i]);
    });
  }

  CublasLt& lt_;
  CudaLinear linear_;
  Plan plan_;
  cublasLtMatmulHeuristicResult_t algorithm_{};
  std::shared_ptr<const DeviceBytes> bias_;
};

Result<CudaLinear> Read(const Problem& problem) {
  TAMIS_ASSIGN_OR_RETURN(const CudaLinear linear, ReadCudaLinear(problem));
  if (linear.depth % 8 != 0 || linear.outputs % 8 != 0) {
    return UserError("{} outputs of depth {}: cuBLASLt wants multiples of 8", linear.outputs, linear.depth);
  }
  if (linear.bias && problem.input(2).constant == nullptr) return UserError("the bias is not a constant");
  return linear;
}

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const CudaLinear linear, Read(problem));
  TAMIS_ASSIGN_OR_RETURN(CublasLt * lt, context.cublaslt());
  Plan plan(*lt);
  TAMIS_RETURN_IF_ERROR(plan.Make(linear));
  TAMIS_ASSIGN_OR_RETURN(const auto heuristics, plan.Heuristics());
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
