// Times and checks CUDA kernels on one problem. Runs inside the worker process; it may crash there.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "src/cuda/device.h"
#include "src/tuner/time_kernels.h"

namespace tamis {

// As TimeKernels, on a GPU: `kernels` are variants (CudaCandidate::Variant). Each is recorded as a graph of many
// launches that rotate over copies of the constants beyond the second-level cache, and the graphs are timed by events,
// interleaved. Error (kRuntime) if the GPU itself failed: nothing more can be timed in this process.
Result<std::vector<TimedKernel>> TimeCudaKernels(const Problem& problem, const std::vector<std::string>& kernels,
                                                 const CudaDevice& device, const TimingOptions& options,
                                                 const std::function<void(const std::string&)>& begin);

}  // namespace tamis
