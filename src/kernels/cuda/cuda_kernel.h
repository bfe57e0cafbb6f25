// CudaKernelDef: code that computes nodes of one operator family on an NVIDIA GPU. One file per kernel defines one:
//
//   src/kernels/<family>/cuda/<name>.cc   ->   extern const CudaKernelDef cuda_kernel_<name>;
//   src/kernels/<family>/cuda/<any>.cu         device code and its launchers, behind plain headers
//
// CMake collects both by name into libtamis_cuda.so. The .cc files are compiled by the host compiler and see the IR;
// the .cu files see only the structures of their launchers, so that nvcc compiles them quickly.
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "src/kernels/kernel.h"

namespace tamis::cuda {

class CublasLt;
class Cudnn;
class Slabs;

// What kernels are chosen by.
struct Device {
  int ordinal = 0;
  int compute = 0;  // 90 for compute capability 9.0
  int multiprocessors = 0;
  size_t shared_bytes_per_block = 0;  // with opt-in
  size_t l2_bytes = 0;
  std::string name;
};

// Bytes in device memory, given back with the last holder.
class DeviceBytes {
 public:
  static Result<std::shared_ptr<DeviceBytes>> Make(std::shared_ptr<Slabs> slabs, size_t bytes);
  ~DeviceBytes();
  DeviceBytes(const DeviceBytes&) = delete;
  DeviceBytes& operator=(const DeviceBytes&) = delete;
  void* data() { return data_; }
  const void* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  DeviceBytes(std::shared_ptr<Slabs> slabs, void* data, size_t bytes)
      : slabs_(std::move(slabs)), data_(data), bytes_(bytes) {}
  std::shared_ptr<Slabs> slabs_;
  void* data_;
  size_t bytes_;
};

// What `prepare` may ask for. The device is current in the calling thread. Thread-safe.
class PrepareContext {
 public:
  virtual ~PrepareContext() = default;
  virtual const Device& device() const = 0;
  // The library's functions and handle, or why it can't be used on this machine.
  virtual Result<CublasLt*> cublaslt() = 0;
  virtual Result<Cudnn*> cudnn() = 0;
  // A packed weight on the device, shared by everything in the process that asks with the same hash (0: not shared) and
  // packing. `fill` writes the packed bytes in host memory; it is called if nobody holds them yet.
  virtual Result<std::shared_ptr<const DeviceBytes>> Packed(uint64_t constant_hash, std::string_view packing,
                                                            size_t bytes,
                                                            const std::function<void(std::byte*)>& fill) = 0;
};

// A kernel bound to one problem. Const after construction and usable by several streams at once.
class CudaKernel {
 public:
  virtual ~CudaKernel() = default;
  // Scratch that Enqueue needs, 256-byte aligned by the caller; its contents are undefined at each call.
  virtual size_t WorkspaceBytes() const { return 0; }
  // Bit i: input i was packed when the kernel was prepared, and Enqueue gets null for it.
  virtual uint64_t PackedInputs() const { return 0; }
  // Device addresses; null for an omitted operand. Outputs never overlap inputs. Only enqueues: no allocation, no
  // synchronisation, nothing that a stream capture refuses.
  virtual Status Enqueue(std::span<const void* const> inputs, std::span<void* const> outputs, void* workspace,
                         cudaStream_t stream) const = 0;
};

struct CudaKernelDef {
  std::string_view name;                // == file name
  std::string_view family;              // == folder
  std::array<std::string_view, 6> ops;  // unused entries empty
  int compute = 80;                     // the least compute capability
  int preference = 100;                 // lower is tried first where nothing was timed
  // The number of variants that can compute the problem (1 if the kernel has no choices of its own), or why none can.
  Result<int> (*supports)(const Problem&, PrepareContext&) = nullptr;
  Result<std::unique_ptr<CudaKernel>> (*prepare)(const Problem&, int variant, PrepareContext&) = nullptr;
};

std::span<const CudaKernelDef* const> AllCudaKernels();

// Memory of the current device; where there isn't as much, the error names the numbers.
Result<void*> AllocateOnDevice(size_t bytes);

// The error of a CUDA call, kind kRuntime; `what` says what was attempted.
Status CudaStatus(cudaError_t error, std::string_view what);

}  // namespace tamis::cuda

#define TAMIS_CUDA_RETURN_IF_ERROR(call) TAMIS_RETURN_IF_ERROR(::tamis::cuda::CudaStatus((call), #call))
