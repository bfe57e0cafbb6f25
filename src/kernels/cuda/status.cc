#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/cuda/slabs.h"

namespace tamis::cuda {

Status CudaStatus(cudaError_t error, std::string_view what) {
  if (error == cudaSuccess) return {};
  cudaGetLastError();  // the error was taken note of; a later call must not report it again
  if (error == cudaErrorInsufficientDriver || error == cudaErrorNoDevice) {
    int driver = 0;
    cudaDriverGetVersion(&driver);
    if (error == cudaErrorNoDevice) return RuntimeError("no NVIDIA GPU is visible (CUDA_VISIBLE_DEVICES?)");
    return RuntimeError(
        "the NVIDIA driver is too old: it supports CUDA {}.{}, this backend was built with CUDA {}.{}; a newer driver, "
        "or a backend built with an older CUDA, would work",
        driver / 1000, driver % 1000 / 10, CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
  }
  return RuntimeError("{}: {} ({})", what, cudaGetErrorString(error), cudaGetErrorName(error));
}

Result<void*> AllocateOnDevice(size_t bytes) {
  void* data = nullptr;
  const cudaError_t error = cudaMalloc(&data, bytes);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    return RuntimeError("not enough GPU memory: {:.1f} MB were asked for, {:.1f} of {:.1f} MB are free",
                        static_cast<double>(bytes) / 1e6, static_cast<double>(free) / 1e6,
                        static_cast<double>(total) / 1e6);
  }
  TAMIS_RETURN_IF_ERROR(CudaStatus(error, "cudaMalloc"));
  return data;
}

Result<std::shared_ptr<DeviceBytes>> DeviceBytes::Make(std::shared_ptr<Slabs> slabs, size_t bytes) {
  // Kernels may load up to a vector past the end.
  TAMIS_ASSIGN_OR_RETURN(std::byte* const data, slabs->Take(bytes + 256));
  return std::shared_ptr<DeviceBytes>(new DeviceBytes(std::move(slabs), data, bytes));
}

DeviceBytes::~DeviceBytes() {
  slabs_->Give(static_cast<std::byte*>(data_));
}

}  // namespace tamis::cuda
