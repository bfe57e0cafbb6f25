// The kernels that keep lines of images in shared memory (gemm24_lines.cuh): which of them a convolution may take, and
// their launch. Part of gemm24_wgmma, whose tactics name them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "src/kernels/gemm/cuda/gemm24_launch.h"

namespace tamis::cuda {

// Predicted cycles, of all that fit.
std::vector<std::pair<double, Gemm24Tactic>> RankLines(const Gemm24Problem& problem, int multiprocessors);
std::string LinesName(const Gemm24Problem& problem, const Gemm24Tactic& tactic);
cudaError_t AllowLines(const Gemm24Problem& problem, int instance);
cudaError_t LaunchLines(const Gemm24Problem& problem, const Gemm24Tactic& tactic, const Gemm24Operands& operands,
                        bool overlap, cudaStream_t stream);

}  // namespace tamis::cuda
