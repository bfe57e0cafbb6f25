#include "src/kernels/cuda/cublaslt.h"

namespace tamis::cuda {

Status CublasStatus(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return {};
  return RuntimeError("cuBLASLt: {} failed with status {}", what, static_cast<int>(status));
}

Result<std::unique_ptr<CublasLt>> CublasLt::Open() {
  auto lt = std::unique_ptr<CublasLt>(new CublasLt());
  const std::string major = std::to_string(CUBLAS_VER_MAJOR);
  TAMIS_ASSIGN_OR_RETURN(lt->library_, DynamicLibrary::Open({"libcublasLt.so." + major}));
  const DynamicLibrary& library = lt->library_;
  decltype(&cublasLtCreate) create = nullptr;
  decltype(&cublasLtGetVersion) version = nullptr;
  TAMIS_RETURN_IF_ERROR(library.Find("cublasLtCreate", &create));
  TAMIS_RETURN_IF_ERROR(library.Find("cublasLtDestroy", &lt->destroy_));
  TAMIS_RETURN_IF_ERROR(library.Find("cublasLtGetVersion", &version));
  TAMIS_RETURN_IF_ERROR(library.Find("cublasLtMatmul", &lt->matmul));
  TAMIS_RETURN_IF_ERROR(library.Find("cublasLtMatmulAlgoGetHeuristic", &lt->heuristic));
  TAMIS_RETURN_IF_ERROR(library.Find("cublasLtMatmulDescCreate", &lt->desc_create));
  TAMIS_RETURN_IF_ERROR(library.Find("cublasLtMatmulDescDestroy", &lt->desc_destroy));
  TAMIS_RETURN_IF_ERROR(library.Find("cublasLtMatmulDescSetAttribute", &lt->desc_set));
  TAMIS_RETURN_IF_ERROR(library.Find("cublasLtMatrixLayoutCreate", &lt->layout_create));
  TAMIS_RETURN_IF_ERROR(library.Find("cublasLtMatrixLayoutDestroy", &lt->layout_destroy));
  TAMIS_RETURN_IF_ERROR(library.Find("cublasLtMatrixLayoutSetAttribute", &lt->layout_set));
  TAMIS_RETURN_IF_ERROR(library.Find("cublasLtMatmulPreferenceCreate", &lt->preference_create));
  TAMIS_RETURN_IF_ERROR(library.Find("cublasLtMatmulPreferenceDestroy", &lt->preference_destroy));
  TAMIS_RETURN_IF_ERROR(library.Find("cublasLtMatmulPreferenceSetAttribute", &lt->preference_set));
  lt->version_ = version();
  TAMIS_RETURN_IF_ERROR(CublasStatus(create(&lt->handle), "cublasLtCreate"));
  return lt;
}

CublasLt::~CublasLt() {
  if (handle != nullptr) destroy_(handle);
}

std::string CublasLt::Version() const {
  return fmt::format("cuBLASLt {}.{}.{}", version_ / 10000, version_ % 10000 / 100, version_ % 100);
}

}  // namespace tamis::cuda
