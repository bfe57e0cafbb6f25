#include "src/kernels/gemm/cuda/cuda_lt_plan.h"

namespace tamis::cuda {
namespace {

constexpr size_t kWorkspace = size_t{32} << 20;

cudaDataType TypeOf(DType dtype) {
  if (dtype == DType::kFloat8E4M3) return CUDA_R_8F_E4M3;
  return dtype == DType::kFloat32 ? CUDA_R_32F : dtype == DType::kBFloat16 ? CUDA_R_16BF : CUDA_R_16F;
}

}  // namespace

LtPlan::~LtPlan() {
  if (desc) lt_.desc_destroy(desc);
  for (cublasLtMatrixLayout_t layout : {w, x, c, y}) {
    if (layout) lt_.layout_destroy(layout);
  }
}

Status LtPlan::AddLayout(cublasLtMatrixLayout_t* layout, cudaDataType type, int64_t rows, int64_t columns,
                         int64_t batch, int64_t stride) {
  TAMIS_RETURN_IF_ERROR(CublasStatus(
      lt_.layout_create(layout, type, static_cast<uint64_t>(rows), static_cast<uint64_t>(columns), rows), "a layout"));
  if (batch == 1) return {};
  const auto count = static_cast<int32_t>(batch);
  TAMIS_RETURN_IF_ERROR(CublasStatus(lt_.layout_set(*layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof(count)),
                                     "a layout of several"));
  return CublasStatus(lt_.layout_set(*layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride, sizeof(stride)),
                      "a layout of several");
}

// Row-major tensors are transposed to a column-major library: y^T [outputs, rows] = w^T . x^T [depth, rows].
Status LtPlan::Make(const LtProduct& p) {
  const bool tf32 = p.tf32 && p.dtype == DType::kFloat32;
  const cublasComputeType_t compute = tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  TAMIS_RETURN_IF_ERROR(CublasStatus(lt_.desc_create(&desc, compute, CUDA_R_32F), "a product"));
  if (p.weight_transposed) TAMIS_RETURN_IF_ERROR(Set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T));
  if (p.bias || p.relu) {
    const cublasLtEpilogue_t epilogue = !p.bias  ? CUBLASLT_EPILOGUE_RELU
                                        : p.relu ? CUBLASLT_EPILOGUE_RELU_BIAS
                                                 : CUBLASLT_EPILOGUE_BIAS;
    TAMIS_RETURN_IF_ERROR(Set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue));
  }
  const cudaDataType type = TypeOf(p.dtype), result = TypeOf(p.output);
  const int64_t first = p.weight_transposed ? p.depth : p.outputs, second = p.weight_transposed ? p.outputs : p.depth;
  TAMIS_RETURN_IF_ERROR(AddLayout(&w, type, first, second, p.batch, p.w_stride));
  TAMIS_RETURN_IF_ERROR(AddLayout(&x, type, p.depth, p.rows, p.batch, p.x_stride));
  TAMIS_RETURN_IF_ERROR(AddLayout(&c, result, p.outputs, p.rows, p.batch, p.outputs * p.rows));
  return AddLayout(&y, result, p.outputs, p.rows, p.batch, p.outputs * p.rows);
}

Result<std::vector<cublasLtMatmulHeuristicResult_t>> LtPlan::Heuristics(int most) const {
  cublasLtMatmulPreference_t preference = nullptr;
  TAMIS_RETURN_IF_ERROR(CublasStatus(lt_.preference_create(&preference), "a preference"));
  size_t workspace = kWorkspace;
  lt_.preference_set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof(workspace));
  std::vector<cublasLtMatmulHeuristicResult_t> results(static_cast<size_t>(most));
  int count = 0;
  const cublasStatus_t status = lt_.heuristic(lt_.handle, desc, w, x, c, y, preference, most, results.data(), &count);
  lt_.preference_destroy(preference);
  TAMIS_RETURN_IF_ERROR(CublasStatus(status, "finding an algorithm"));
  results.resize(static_cast<size_t>(count));
  return results;
}

}  // namespace tamis::cuda
