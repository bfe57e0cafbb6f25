#include "src/cuda/api.h"
#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/cuda/slabs.h"

namespace tamis::cuda {

namespace {

double Megabytes(size_t bytes) {
  return static_cast<double>(bytes) / 1e6;
}

// "30.5 of 80000.0 MB are free"
std::string FreeMemory() {
  size_t free = 0, total = 0;
  cudaMemGetInfo(&free, &total);
  return fmt::format("{:.1f} of {:.1f} MB are free", Megabytes(free), Megabytes(total));
}

}  // namespace

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
  if (error == cudaErrorMemoryAllocation) {
    return RuntimeError(TAMIS_CUDA_NO_MEMORY " for {}: {}", what, FreeMemory());
  }
  return RuntimeError("{}: {} ({})", what, cudaGetErrorString(error), cudaGetErrorName(error));
}

Result<void*> AllocateOnDevice(size_t bytes) {
  void* data = nullptr;
  const cudaError_t error = cudaMalloc(&data, bytes);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return RuntimeError(TAMIS_CUDA_NO_MEMORY ": {:.1f} MB were asked for, {}", Megabytes(bytes), FreeMemory());
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
