// Code made at run time: NVRTC, loaded where it is installed, and what it compiled on the device.
#pragma once

#include <cuda_runtime_api.h>

#include <memory>
#include <string>
#include <vector>

#include "src/kernels/cuda/dynamic_library.h"

namespace tamis::cuda {

class Nvrtc {
 public:
  // The process's one, or why there is none.
  static Result<const Nvrtc*> Get();
  std::string Version() const;  // "NVRTC 13.0"
  // Machine code for compute capability `compute` (90 for 9.0) of CUDA C++ without headers; the error has the
  // compiler's log. Thread-safe.
  Result<std::vector<char>> Compile(const std::string& source, int compute) const;

 private:
  struct Functions;
  Nvrtc() = default;
  DynamicLibrary library_;
  std::shared_ptr<const Functions> functions_;
  int major_ = 0, minor_ = 0;
};

// One kernel of a machine code that is loaded in the current device's context, until the last holder is gone.
class LoadedKernel {
 public:
  static Result<std::shared_ptr<const LoadedKernel>> Load(const std::vector<char>& code, const char* name);
  ~LoadedKernel();
  LoadedKernel(const LoadedKernel&) = delete;
  LoadedKernel& operator=(const LoadedKernel&) = delete;
  // As LaunchKernel (launch.h) does it: the kernel waits for the one before.
  Status Launch(unsigned blocks, unsigned threads, void** arguments, cudaStream_t stream) const;

 private:
  LoadedKernel() = default;
  void* module_ = nullptr;
  void* function_ = nullptr;
};

}  // namespace tamis::cuda
