// ChannelsLastConv over packed panels whose routine has taps: every tap reads x where it lies. Nothing is gathered; x
// is laid out once where it needs padding, each part of the work its own rows.
#pragma once

#include "src/kernels/conv/conv_shape.h"
#include "src/kernels/gemm/gemm_panels.h"

namespace tamis {

// The taps of a kernel row that lie side by side count as one; each then needs a multiple of four elements.
bool HasImplicitTaps(const ConvShape& shape);
std::unique_ptr<PreparedKernel> MakeImplicitConv(const ConvShape& shape, std::shared_ptr<const PackedPanels> weight,
                                                 int threads, PanelRoutine routine);

}  // namespace tamis
