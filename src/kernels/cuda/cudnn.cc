#include "src/kernels/cuda/cudnn.h"

#ifdef TAMIS_HAVE_CUDNN

namespace tamis::cuda {

Result<std::unique_ptr<Cudnn>> Cudnn::Open() {
  auto dnn = std::unique_ptr<Cudnn>(new Cudnn());
  TAMIS_ASSIGN_OR_RETURN(dnn->library_, DynamicLibrary::Open({"libcudnn.so." + std::to_string(CUDNN_MAJOR)}));
  const DynamicLibrary& library = dnn->library_;
  decltype(&cudnnCreate) create = nullptr;
  decltype(&cudnnGetVersion) version = nullptr;
  TAMIS_RETURN_IF_ERROR(library.Find("cudnnCreate", &create));
  TAMIS_RETURN_IF_ERROR(library.Find("cudnnDestroy", &dnn->destroy_));
  TAMIS_RETURN_IF_ERROR(library.Find("cudnnGetErrorString", &dnn->error_string_));
  TAMIS_RETURN_IF_ERROR(library.Find("cudnnGetVersion", &version));
  TAMIS_RETURN_IF_ERROR(library.Find("cudnnSetStream", &dnn->set_stream));
  TAMIS_RETURN_IF_ERROR(library.Find("cudnnBackendCreateDescriptor", &dnn->create_descriptor));
  TAMIS_RETURN_IF_ERROR(library.Find("cudnnBackendDestroyDescriptor", &dnn->destroy_descriptor));
  TAMIS_RETURN_IF_ERROR(library.Find("cudnnBackendFinalize", &dnn->finalize));
  TAMIS_RETURN_IF_ERROR(library.Find("cudnnBackendSetAttribute", &dnn->set_attribute));
  TAMIS_RETURN_IF_ERROR(library.Find("cudnnBackendGetAttribute", &dnn->get_attribute));
  TAMIS_RETURN_IF_ERROR(library.Find("cudnnBackendExecute", &dnn->execute));
  dnn->version_ = version();
  TAMIS_RETURN_IF_ERROR(dnn->Check(create(&dnn->handle), "cudnnCreate"));
  return dnn;
}

Cudnn::~Cudnn() {
  if (handle != nullptr) destroy_(handle);
}

std::string Cudnn::Version() const {
  return fmt::format("cuDNN {}.{}.{}", version_ / 10000, version_ % 10000 / 100, version_ % 100);
}

Status Cudnn::Check(cudnnStatus_t status, const char* what) const {
  if (status == CUDNN_STATUS_SUCCESS) return {};
  return RuntimeError("cuDNN: {} failed: {}", what, error_string_(status));
}

}  // namespace tamis::cuda

#endif
