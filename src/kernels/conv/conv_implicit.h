// ChannelsLastConv over packed panels whose routine has taps: every tap reads x where it lies. Nothing is gathered;
// where x needs padding, it is laid out once, each part of the work its own rows, or its edges only (line_edges.h).
#pragma once

#include "src/kernels/conv/conv_shape.h"
#include "src/kernels/gemm/gemm_panels.h"

namespace tamis {

// What taps a panel routine has: none, such of whole groups of four elements, or any.
enum class Taps : uint8_t { kNone, kGroups, kAny };

// Whether such taps can read x in place. Those of a kernel row that lie side by side count as one.
bool HasImplicitTaps(const ConvShape& shape, Taps taps);
std::unique_ptr<PreparedKernel> MakeImplicitConv(const ConvShape& shape, std::shared_ptr<const PackedPanels> weight,
                                                 int threads, PanelRoutine routine);

}  // namespace tamis
