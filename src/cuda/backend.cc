#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>

#include "src/cuda/device.h"

namespace tamis {
namespace {

constexpr const char* kLibrary = "libtamis_cuda.so";

// Beside what holds this code: a program, or an extension of Python.
std::filesystem::path OwnFolder() {
  static const char kHere = 0;
  Dl_info info{};
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (dladdr(&kHere, &info) == 0 || info.dli_fname == nullptr) return program.parent_path();
  const auto own = std::filesystem::canonical(info.dli_fname, error);
  // Of a program the loader knows the name that it was called by, which need not lead to it.
  return (error ? program : own).parent_path();
}

std::vector<std::string> Places() {
  if (const char* set = std::getenv("TAMIS_CUDA_BACKEND"); set != nullptr && *set != '\0') return {set};
  const auto folder = OwnFolder();
  return {(folder / kLibrary).string(), (folder / "../lib/tamis" / kLibrary).lexically_normal().string(), kLibrary};
}

Result<const TamisCudaApi*> Load() {
  // The library would load without a driver too; asked first, so that the reason is the driver's and not the library's.
  if (dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL) == nullptr) {
    return RuntimeError("no NVIDIA driver was found on this machine ({}); --device cpu needs none", dlerror());
  }
  std::string tried;
  for (const std::string& place : Places()) {
    void* library = dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      const char* reason = dlerror();
      tried += (tried.empty() ? "" : "; ") + std::string(reason == nullptr ? place : reason);
      continue;
    }
    const auto function = reinterpret_cast<TamisCudaApiFn>(dlsym(library, TAMIS_CUDA_API_SYMBOL));
    const TamisCudaApi* api = function != nullptr ? function(TAMIS_CUDA_API_VERSION) : nullptr;
    if (api == nullptr || api->size < sizeof(TamisCudaApi)) {
      return RuntimeError("'{}' is not the CUDA backend of this version of Tamis (interface {}); install both together",
                          place, TAMIS_CUDA_API_VERSION);
    }
    int32_t count = 0;
    TAMIS_RETURN_IF_ERROR(CallCuda(api->device_count, &count));
    if (count == 0) return RuntimeError("no NVIDIA GPU is visible (CUDA_VISIBLE_DEVICES?)");
    return api;
  }
  return RuntimeError(
      "the CUDA backend {} was not found ({}). It is built where nvcc is installed, and TAMIS_CUDA_BACKEND names "
      "another "
      "place",
      kLibrary, tried);
}

}  // namespace

Result<const TamisCudaApi*> CudaBackend() {
  static const auto* const kBackend = new Result<const TamisCudaApi*>(Load());
  return *kBackend;
}

}  // namespace tamis
