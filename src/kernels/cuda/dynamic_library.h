// A shared library of NVIDIA's, found at run time.
#pragma once

#include <string>
#include <vector>

#include "tamis/status.h"

namespace tamis::cuda {

// Stays loaded until the process ends: CUDA libraries keep threads and contexts that outlive a dlclose badly.
class DynamicLibrary {
 public:
  // The first of `names` that loads, searched for as the loader does, then in the folders of $TAMIS_CUDA_LIBRARIES
  // (separated by ':') and the toolkit's usual ones. The error names all that was tried.
  static Result<DynamicLibrary> Open(const std::vector<std::string>& names);

  // Sets *function, or says which symbol is missing.
  template <class F>
  Status Find(const char* symbol, F** function) const {
    *function = reinterpret_cast<F*>(Address(symbol));
    if (*function == nullptr) return RuntimeError("{} has no function {}: it is too old", name_, symbol);
    return {};
  }
  const std::string& name() const { return name_; }

 private:
  void* Address(const char* symbol) const;
  void* handle_ = nullptr;
  std::string name_;
};

}  // namespace tamis::cuda
