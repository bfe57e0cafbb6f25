// ChannelsLastConv over packed panels: what the conv_* and conv24_* kernels of ours have in common. A pointwise
// convolution is the matrix product of its pixels; any other gathers what a block of output pixels reads into rows of
// taps * channels elements, zeros where a tap lies in the padding, and multiplies those.
#pragma once

#include "src/kernels/conv/conv_implicit.h"
#include "src/kernels/conv/conv_shape.h"
#include "src/kernels/gemm/gemm_panels.h"

namespace tamis {

// OK for operands of `dtype` and one group. kTwoFour needs a weight that follows it and channels a multiple of four:
// groups of four of the pattern start anew at every tap.
Status ConvPanelsSupported(const Problem& problem, DType dtype, Pattern pattern);
double ConvPanelsCost(const Problem& problem, Isa isa, Pattern pattern, Taps taps = Taps::kNone);
double ConvTilesCost(const Problem& problem);  // dense bf16 by tiles
// With `taps` of the routine convolutions are implicit (conv_implicit.h) where they can be.
Result<std::unique_ptr<PreparedKernel>> PrepareConvPanels(const Problem& problem, PackCache& cache, Pattern pattern,
                                                          PanelRoutine routine, Taps taps = Taps::kNone,
                                                          LaneOrder order = LaneOrder::kOutputs);

// 2:4 in bf16 by tiles that are spread, of one tap and few pixels (ExpandedRowsSupported).
Status ExpandedConvSupported(const Problem& problem);
double ExpandedConvCost(const Problem& problem);

// In f32 what has bf16 operands and one tap (PrepareWidenedPanels).
Status WidenedConvSupported(const Problem& problem);
double WidenedConvCost(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareWidenedConv(const Problem& problem, PackCache& cache);

}  // namespace tamis
