// ChannelsLastConv over packed panels: what the conv24_* kernels have in common. A pointwise convolution is the matrix
// product of its pixels; any other gathers what a block of output pixels reads into rows of taps * channels elements,
// zeros where a tap lies in the padding, and multiplies those.
#pragma once

#include "src/kernels/conv/conv_shape.h"
#include "src/kernels/gemm/gemm_panels.h"

namespace tamis {

// OK for operands of `dtype`, one group, a 2:4 weight and channels a multiple of four: groups of four of the pattern
// start anew at every tap.
Status ConvPanelsSupported(const Problem& problem, DType dtype);
double ConvPanelsCost(const Problem& problem, Isa isa);
Result<std::unique_ptr<PreparedKernel>> PrepareConvPanels(const Problem& problem, PackCache& cache,
                                                          PanelRoutine routine);

}  // namespace tamis
