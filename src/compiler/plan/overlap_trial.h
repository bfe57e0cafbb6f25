// Whether kernels that overlap their launches make up for being slower by themselves.
#pragma once

#include "src/engine/engine.h"
#include "src/runtime/devices/cuda/cuda_program.h"

namespace tamis {

// The tuner times kernels one by one. On a GPU a kernel of ours starts while the one before still runs, which a
// library's does not, so the sum of the best is not the best sum. This times whole networks: with the winners, and with
// ours wherever it is within a tenth, a quarter or a half of the winner, and with dense kernels where 2:4 ones won; the
// fastest is kept in `point`.
Status TryOverlap(const Graph& fused, const CudaProgramOptions& options, PlanPoint* point);

}  // namespace tamis
