// Our kernels let the next one start early and rely on its waiting for them. Libraries launch theirs in ways of their
// own, and some of those begin to read too soon after such a kernel: on an H100 convolutions of cuDNN read a residual
// before it was written. Called before a library's kernels, this makes them see everything.
#pragma once

#include <cuda_runtime.h>

namespace tamis::cuda {

// Enqueues an empty kernel that starts when all before it has ended and lets nothing after it start early. Nothing
// where launches don't overlap.
cudaError_t SettleStream(cudaStream_t stream);

}  // namespace tamis::cuda
