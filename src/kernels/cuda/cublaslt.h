// cuBLASLt, loaded at run time.
#pragma once

#include <cublasLt.h>

#include <memory>
#include <string>

#include "src/kernels/cuda/dynamic_library.h"

namespace tamis::cuda {

// The functions that Tamis calls, and one handle. Thread-safe: a handle of cuBLASLt has no state.
class CublasLt {
 public:
  static Result<std::unique_ptr<CublasLt>> Open();
  ~CublasLt();
  std::string Version() const;  // "cuBLASLt 13.1.0"

  cublasLtHandle_t handle = nullptr;
  decltype(&cublasLtMatmul) matmul = nullptr;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic = nullptr;
  decltype(&cublasLtMatmulDescCreate) desc_create = nullptr;
  decltype(&cublasLtMatmulDescDestroy) desc_destroy = nullptr;
  decltype(&cublasLtMatmulDescSetAttribute) desc_set = nullptr;
  decltype(&cublasLtMatrixLayoutCreate) layout_create = nullptr;
  decltype(&cublasLtMatrixLayoutDestroy) layout_destroy = nullptr;
  decltype(&cublasLtMatrixLayoutSetAttribute) layout_set = nullptr;
  decltype(&cublasLtMatmulPreferenceCreate) preference_create = nullptr;
  decltype(&cublasLtMatmulPreferenceDestroy) preference_destroy = nullptr;
  decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set = nullptr;

 private:
  CublasLt() = default;
  DynamicLibrary library_;
  decltype(&cublasLtDestroy) destroy_ = nullptr;
  size_t version_ = 0;
};

Status CublasStatus(cublasStatus_t status, const char* what);

}  // namespace tamis::cuda
