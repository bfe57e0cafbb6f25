// cuDNN's graph API, loaded at run time.
#pragma once

#ifdef TAMIS_HAVE_CUDNN
#include <cudnn.h>
#endif

#include <memory>
#include <mutex>
#include <string>

#include "src/kernels/cuda/dynamic_library.h"

namespace tamis::cuda {

#ifdef TAMIS_HAVE_CUDNN

// The functions that Tamis calls, and one handle. `mutex` guards the handle's stream: hold it from set_stream to
// execute.
class Cudnn {
 public:
  static Result<std::unique_ptr<Cudnn>> Open();
  ~Cudnn();
  std::string Version() const;  // "cuDNN 9.13.0"
  Status Check(cudnnStatus_t status, const char* what) const;

  std::mutex mutex;
  cudnnHandle_t handle = nullptr;
  decltype(&cudnnSetStream) set_stream = nullptr;
  decltype(&cudnnBackendCreateDescriptor) create_descriptor = nullptr;
  decltype(&cudnnBackendDestroyDescriptor) destroy_descriptor = nullptr;
  decltype(&cudnnBackendFinalize) finalize = nullptr;
  decltype(&cudnnBackendSetAttribute) set_attribute = nullptr;
  decltype(&cudnnBackendGetAttribute) get_attribute = nullptr;
  decltype(&cudnnBackendExecute) execute = nullptr;

 private:
  Cudnn() = default;
  DynamicLibrary library_;
  decltype(&cudnnDestroy) destroy_ = nullptr;
  decltype(&cudnnGetErrorString) error_string_ = nullptr;
  size_t version_ = 0;
};

#else

class Cudnn {
 public:
  static Result<std::unique_ptr<Cudnn>> Open() {
    return RuntimeError("cuDNN: the backend was built without its headers");
  }
  std::string Version() const { return {}; }
};

#endif

}  // namespace tamis::cuda
