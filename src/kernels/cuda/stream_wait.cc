#include "src/kernels/cuda/stream_wait.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <thread>

namespace tamis::cuda {
namespace {

int MostSpinning() {
  static const int kMost = [] {
    const char* set = std::getenv("TAMIS_CUDA_SPIN");
    if (set != nullptr && *set != '\0') return std::max(0, std::atoi(set));
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / 4);
  }();
  return kMost;
}

std::atomic<int> spinning = 0;

}  // namespace

StreamWaiter::~StreamWaiter() {
  if (done_ != nullptr) cudaEventDestroy(done_);
}

Status StreamWaiter::Wait(cudaStream_t stream) {
  if (spinning.fetch_add(1, std::memory_order_relaxed) < MostSpinning()) {
    const cudaError_t waited = cudaStreamSynchronize(stream);
    spinning.fetch_sub(1, std::memory_order_relaxed);
    return CudaStatus(waited, "waiting for the GPU");
  }
  spinning.fetch_sub(1, std::memory_order_relaxed);
  if (done_ == nullptr) {
    TAMIS_RETURN_IF_ERROR(CudaStatus(cudaEventCreateWithFlags(&done_, cudaEventBlockingSync | cudaEventDisableTiming),
                                     "cudaEventCreate"));
  }
  TAMIS_RETURN_IF_ERROR(CudaStatus(cudaEventRecord(done_, stream), "cudaEventRecord"));
  return CudaStatus(cudaEventSynchronize(done_), "waiting for the GPU");
}

}  // namespace tamis::cuda
