// MatMul of two tensors that are computed, f16, bf16 or f32, by cuBLASLt: stacks of matrices of which one operand may
// share a single matrix. Variants are the library's heuristics, best expected first.
#include <limits>

#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/cuda/float_types.h"
#include "src/kernels/cuda/settle.h"
#include "src/kernels/gemm/cuda/cuda_lt_plan.h"
#include "src/kernels/operand_check.h"
#include "src/ops/op_tf32.h"

namespace tamis::cuda {
namespace {

constexpr int kVariants = 4;

// How many matrices an operand holds beyond its last two axes; `leading` are the result's axes.
Result<int64_t> StackOf(const Operand& operand, const Dims& leading, const char* what) {
  const Dims stack(operand.dims.begin(), operand.dims.end() - 2);
  const int64_t count = Product(stack, 0, stack.size());
  if (count == 1 || stack == leading) return count;
  return UserError("{} is repeated along some of the stack's axes", what);
}

Result<LtProduct> Read(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  const Operand &a = problem.input(0), &b = problem.input(1), &y = problem.outputs[0];
  if (!IsComputedFloat(a.dtype)) return UserError("operands of {}", Name(a.dtype));
  if (a.dims.size() < 2 || b.dims.size() < 2) return UserError("an operand is a vector");
  for (const Operand* operand : {&a, &b, &y}) {
    if (Elements(*operand) == 0) return UserError("an operand is empty");
    if (Elements(*operand) > std::numeric_limits<int32_t>::max())
      return UserError("an operand has 2^31 elements or more");
  }
  const Dims leading(y.dims.begin(), y.dims.end() - 2);
  LtProduct product;
  product.rows = a.dims[a.dims.size() - 2], product.depth = a.dims.back(), product.outputs = b.dims.back();
  product.dtype = product.output = a.dtype;
  product.tf32 = AllowsTf32(*problem.node);
  // Rows of 16-bit numbers begin at multiples of 16 bytes in every algorithm that the library has for tensor cores.
  if (a.dtype != DType::kFloat32 && (product.depth % 8 != 0 || product.outputs % 8 != 0)) {
    return UserError("{} columns of depth {}: cuBLASLt wants multiples of 8", product.outputs, product.depth);
  }
  TAMIS_ASSIGN_OR_RETURN(const int64_t a_count, StackOf(a, leading, "a"));
  TAMIS_ASSIGN_OR_RETURN(const int64_t b_count, StackOf(b, leading, "b"));
  if (b_count == 1) {  // one matrix for all rows
    product.rows *= a_count;
    return product;
  }
  product.batch = b_count;
  product.x_stride = a_count == 1 ? 0 : product.rows * product.depth;
  product.w_stride = product.depth * product.outputs;
  return product;
}

class MatMulCublasLt : public CudaKernel {
 public:
  MatMulCublasLt(CublasLt& lt, std::unique_ptr<LtPlan> plan, const cublasLtMatmulHeuristicResult_t& algorithm)
      : lt_(lt), plan_(std::move(plan)), algorithm_(algorithm) {}

  size_t WorkspaceBytes() const override { return algorithm_.workspaceSize; }

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void* workspace,
                 cudaStream_t stream) const override {
    const float alpha = 1, beta = 0;
    TAMIS_CUDA_RETURN_IF_ERROR(SettleStream(stream));
    return CublasStatus(
        lt_.matmul(lt_.handle, plan_->desc, &alpha, in[1], plan_->w, in[0], plan_->x, &beta, out[0], plan_->c, out[0],
                   plan_->y, &algorithm_.algo, workspace, algorithm_.workspaceSize, stream),
        "a product");
  }

 private:
  CublasLt& lt_;
  std::unique_ptr<LtPlan> plan_;
  cublasLtMatmulHeuristicResult_t algorithm_;
};

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const LtProduct product, Read(problem));
  TAMIS_ASSIGN_OR_RETURN(CublasLt * lt, context.cublaslt());
  LtPlan plan(*lt);
  TAMIS_RETURN_IF_ERROR(plan.Make(product));
  TAMIS_ASSIGN_OR_RETURN(const auto heuristics, plan.Heuristics(kVariants));
  if (heuristics.empty()) return UserError("cuBLASLt has no algorithm");
  return static_cast<int>(heuristics.size());
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int variant, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const LtProduct product, Read(problem));
  TAMIS_ASSIGN_OR_RETURN(CublasLt * lt, context.cublaslt());
  auto plan = std::make_unique<LtPlan>(*lt);
  TAMIS_RETURN_IF_ERROR(plan->Make(product));
  TAMIS_ASSIGN_OR_RETURN(const auto heuristics, plan->Heuristics(kVariants));
  if (static_cast<size_t>(variant) >= heuristics.size()) {
    return RuntimeError("cuBLASLt has no such algorithm any more");
  }
  return std::unique_ptr<CudaKernel>(
      std::make_unique<MatMulCublasLt>(*lt, std::move(plan), heuristics[static_cast<size_t>(variant)]));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_matmul_cublaslt = {.name = "matmul_cublaslt",
                                                          .family = "gemm",
                                                          .ops = {"MatMul"},
                                                          .preference = 30,
                                                          .supports = Supports,
                                                          .prepare = Prepare};

}  // namespace tamis::cuda
