// Waiting for a stream on the host.
#pragma once

#include "src/kernels/cuda/open_device.h"

namespace tamis::cuda {

// CUDA's own waiting spins, which answers soonest, but takes a core from every thread that waits: where a server's
// requests wait on most cores, what receives the next request gets none for whole time slices of the scheduler. So
// only a few threads of the process spin at a time (a quarter of the cores, TAMIS_CUDA_SPIN says otherwise), and the
// others sleep until the GPU interrupts.
class StreamWaiter {
 public:
  StreamWaiter() = default;
  ~StreamWaiter();
  StreamWaiter(const StreamWaiter&) = delete;
  StreamWaiter& operator=(const StreamWaiter&) = delete;
  // One thread at a time, as for the stream itself; the device is current.
  Status Wait(cudaStream_t stream);

 private:
  cudaEvent_t done_ = nullptr;  // made when a thread first sleeps
};

}  // namespace tamis::cuda
