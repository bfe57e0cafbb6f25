// ChannelsLastConv of 3 x 3 by Winograd's method, in f32 for AVX2.
#include "src/kernels/conv/winograd_tiles_of_four.h"
#include "src/kernels/gemm/avx2/activator_avx2.h"

namespace tamis {
namespace {

using Tiles = TilesOfFour<PanelF32Avx2, ActivatorAvx2>;

}  // namespace

extern const KernelDef kernel_conv_winograd_avx2;
const KernelDef kernel_conv_winograd_avx2 = {
    .name = "conv_winograd_avx2",
    .family = "conv",
    .ops = {"ChannelsLastConv"},
    .isa = Isa::kAvx2,
    .supports = Tiles::Supported,
    .cost = [](const Problem& problem) { return Tiles::Cost(problem, Isa::kAvx2); },
    .prepare = PrepareWinograd<Tiles>,
    .in_place = kOverResidual,
};

}  // namespace tamis
