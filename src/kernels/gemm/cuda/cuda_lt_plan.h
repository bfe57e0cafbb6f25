// Products by cuBLASLt: descriptors of one, and the algorithms that the library names for it.
#pragma once

#include <vector>

#include "src/kernels/cuda/cublaslt.h"
#include "tamis/dtype.h"

namespace tamis::cuda {

// y[rows, outputs] = x[rows, depth] . w with f32 sums, of f16, bf16 or float8e4m3fn (with `output` another, and the
// weight transposed), or of f32 throughout. w is [depth, outputs], or
// [outputs, depth] if it is transposed.
struct LtProduct {
  int64_t rows = 0, outputs = 0, depth = 0;
  DType dtype = DType::kFloat16, output = DType::kFloat16;
  bool tf32 = false;  // f32 operands may be rounded to 10 bits of mantissa
  bool weight_transposed = false;
  bool bias = false, relu = false;  // added and applied by the library
  // Of several products: elements from one operand to the next, 0 where all share one.
  int64_t batch = 1, x_stride = 0, w_stride = 0;
};

class LtPlan {
 public:
  explicit LtPlan(CublasLt& lt) : lt_(lt) {}
  LtPlan(const LtPlan&) = delete;
  LtPlan& operator=(const LtPlan&) = delete;
  ~LtPlan();

  Status Make(const LtProduct& product);
  // Best expected first.
  Result<std::vector<cublasLtMatmulHeuristicResult_t>> Heuristics(int most) const;

  template <class T>
  Status Set(cublasLtMatmulDescAttributes_t attribute, const T& value) const {
    return CublasStatus(lt_.desc_set(desc, attribute, &value, sizeof(value)), "describing a product");
  }

  cublasLtMatmulDesc_t desc = nullptr;
  cublasLtMatrixLayout_t w = nullptr, x = nullptr, c = nullptr, y = nullptr;  // c: what the result is added to

 private:
  Status AddLayout(cublasLtMatrixLayout_t* layout, cudaDataType type, int64_t rows, int64_t columns, int64_t batch,
                   int64_t stride);
  CublasLt& lt_;
};

}  // namespace tamis::cuda
