// An opened GPU: its facts, the libraries on it, and the weights that live there.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/cuda/slabs.h"

namespace tamis::cuda {

// Thread-safe. One for each ordinal in the process, counted by reference.
class OpenDevice : public PrepareContext {
 public:
  static Result<std::shared_ptr<OpenDevice>> Get(int ordinal);
  ~OpenDevice() override;

  // Makes the device current in this thread.
  Status Use() const;
  const Device& device() const override { return device_; }
  const cudaDeviceProp& properties() const { return properties_; }
  Result<CublasLt*> cublaslt() override;
  Result<Cudnn*> cudnn() override;
  Result<std::shared_ptr<const DeviceBytes>> Packed(uint64_t constant_hash, std::string_view packing, size_t bytes,
                                                    const std::function<void(std::byte*)>& fill) override;
  // "cuBLASLt 13.1.0, cuDNN 9.13.0, NVRTC 13.0, kernels 2f6c...": versions, or why a library is missing, and a number
  // of our own kernels' code.
  std::string Libraries();

 private:
  OpenDevice();

  Device device_;
  cudaDeviceProp properties_{};
  std::shared_ptr<Slabs> slabs_;
  std::mutex mutex_;  // guards what follows
  std::unique_ptr<CublasLt> cublaslt_;
  std::unique_ptr<Cudnn> cudnn_;
  Status cublaslt_status_, cudnn_status_;
  bool cublaslt_tried_ = false, cudnn_tried_ = false;
  std::map<std::pair<uint64_t, std::string>, std::weak_ptr<const DeviceBytes>> packed_;
};

}  // namespace tamis::cuda
