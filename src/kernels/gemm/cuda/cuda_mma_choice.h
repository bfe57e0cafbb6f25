// Which tiles and splits of the mma products are worth timing.
#pragma once

#include <vector>

#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/gemm/cuda/mma_args.h"

namespace tamis::cuda {

// Best predicted first, at most `limit`; empty only if the device's shared memory is too small for all.
std::vector<MmaChoice> MmaChoices(const Device& device, int64_t rows, int64_t outputs, int64_t depth, size_t limit);

}  // namespace tamis::cuda
