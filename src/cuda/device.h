// NVIDIA GPUs, through libtamis_cuda.so, which is loaded at the first call that needs one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "src/cuda/api.h"
#include "src/kernels/kernel.h"
#include "tamis/status.h"

namespace tamis {

// The backend's table of functions. Errors (kRuntime): no driver on this machine, no library beside the program
// ($TAMIS_CUDA_BACKEND names another place), or one of another version. The answer is kept for the process.
Result<const TamisCudaApi*> CudaBackend();

// `call` is a function of the backend whose last parameter is the error.
template <class F, class... A>
Status CallCuda(F call, A... arguments) {
  TamisCudaError error{};
  error.size = sizeof(error);
  const int kind = call(arguments..., &error);
  if (kind == 0) return {};
  return Status(static_cast<ErrorKind>(kind - 1), error.message);
}

inline bool IsOutOfGpuMemory(const Status& status) {
  return !status.ok() && status.message().find(TAMIS_CUDA_NO_MEMORY) != std::string::npos;
}

// Why a kernel is not taken where workspaces are limited, in bytes.
std::string WorkspaceRefusal(uint64_t wanted, uint64_t limit);

// Destroys what the backend made. Such objects exist only while the backend is loaded, which is until the end.
template <auto kMember>
struct CudaDestroy {
  template <class T>
  void operator()(T* object) const {
    ((**CudaBackend()).*kMember)(object);
  }
};
using CudaStream = std::unique_ptr<TamisCudaStream, CudaDestroy<&TamisCudaApi::destroy_stream>>;
using CudaGraph = std::unique_ptr<TamisCudaGraph, CudaDestroy<&TamisCudaApi::destroy_graph>>;
using CudaEvent = std::unique_ptr<TamisCudaEvent, CudaDestroy<&TamisCudaApi::destroy_event>>;
using CudaKernelHandle = std::unique_ptr<TamisCudaKernel, CudaDestroy<&TamisCudaApi::destroy_kernel>>;
using CudaConstant = std::unique_ptr<TamisCudaConstant, CudaDestroy<&TamisCudaApi::drop_constant>>;

struct CudaCandidate {
  std::string kernel;  // without its variant
  int variants = 0;    // 0: refused
  std::string reason;
  std::string Variant(int i) const { return kernel + "/" + std::to_string(i); }
};

// One GPU. Thread-safe.
class CudaDevice : public std::enable_shared_from_this<CudaDevice> {
 public:
  static Result<std::shared_ptr<CudaDevice>> Open(int ordinal);
  ~CudaDevice();
  CudaDevice(const CudaDevice&) = delete;
  CudaDevice& operator=(const CudaDevice&) = delete;

  const TamisCudaApi& api() const { return *api_; }
  const TamisCudaDeviceInfo& info() const { return info_; }
  // The compute capability: 90 for 9.0.
  int Compute() const { return info_.compute_major * 10 + info_.compute_minor; }
  // What a plan is keyed by: "cuda: NVIDIA H100 80GB HBM3, sm_90, 132 multiprocessors".
  std::string Fingerprint() const;
  // What a measured time is keyed by: the fingerprint, the versions of NVIDIA's libraries, loaded for it, our kernels'.
  std::string TimingKey() const;

  Result<CudaStream> MakeStream() const;
  Result<CudaEvent> MakeEvent() const;
  Result<std::pair<uint64_t, uint64_t>> FreeAndTotalBytes() const;
  // What was free when this process had made its context and nothing else.
  uint64_t free_bytes_at_open() const { return free_bytes_at_open_; }

  // Kernels that name the problem's operator, best by default first.
  Result<std::vector<CudaCandidate>> Candidates(const Problem& problem) const;
  // `variant` as CudaCandidate::Variant spells it. The problem's constants must outlive the kernel.
  Result<CudaKernelHandle> Prepare(const Problem& problem, const std::string& variant) const;
  TamisCudaKernelFacts Describe(const TamisCudaKernel* kernel) const;
  Result<CudaConstant> Hold(const Tensor& constant, uint64_t hash) const;

 private:
  CudaDevice() = default;
  const TamisCudaApi* api_ = nullptr;
  TamisCudaDevice* device_ = nullptr;
  TamisCudaDeviceInfo info_{};
  uint64_t free_bytes_at_open_ = 0;
  friend class CudaMemory;
};

// A block of device or pinned host memory.
class CudaMemory {
 public:
  CudaMemory() = default;
  static Result<CudaMemory> OnDevice(std::shared_ptr<const CudaDevice> device, size_t bytes);
  static Result<CudaMemory> Pinned(std::shared_ptr<const CudaDevice> device, size_t bytes);
  CudaMemory(CudaMemory&& other) noexcept { *this = std::move(other); }
  CudaMemory& operator=(CudaMemory&& other) noexcept;
  ~CudaMemory();
  std::byte* data() const { return static_cast<std::byte*>(data_); }
  size_t bytes() const { return bytes_; }

 private:
  std::shared_ptr<const CudaDevice> device_;
  void* data_ = nullptr;
  size_t bytes_ = 0;
  bool pinned_ = false;
};

// "cuda" is GPU 0, "cuda:1" GPU 1; nullopt for "cpu". Error (kUser) for anything else.
Result<std::optional<int>> ParseDevice(const std::string& text);

}  // namespace tamis
