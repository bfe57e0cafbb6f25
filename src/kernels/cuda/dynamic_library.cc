#include "src/kernels/cuda/dynamic_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <sstream>

namespace tamis::cuda {

Result<DynamicLibrary> DynamicLibrary::Open(const std::vector<std::string>& names) {
  std::vector<std::string> folders = {""};
  if (const char* set = std::getenv("TAMIS_CUDA_LIBRARIES")) {
    std::istringstream list(set);
    for (std::string folder; std::getline(list, folder, ':');) {
      if (!folder.empty()) folders.push_back(folder + "/");
    }
  }
  for (const char* folder : {"/usr/local/cuda/lib64/", "/usr/local/cuda/lib/", "/opt/cuda/lib64/"}) {
    folders.emplace_back(folder);
  }
  DynamicLibrary library;
  std::string tried;
  for (const std::string& name : names) {
    for (const std::string& folder : folders) {
      library.name_ = folder + name;
      library.handle_ = dlopen(library.name_.c_str(), RTLD_NOW | RTLD_LOCAL);
      if (library.handle_ != nullptr) return library;
    }
    tried += (tried.empty() ? "" : " or ") + name;
  }
  return RuntimeError("{} was not found; TAMIS_CUDA_LIBRARIES=FOLDER:FOLDER names more places to look", tried);
}

void* DynamicLibrary::Address(const char* symbol) const {
  return dlsym(handle_, symbol);
}

}  // namespace tamis::cuda
