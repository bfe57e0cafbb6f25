// ChannelsLastConv of 3 x 3 by Winograd's method, in f32 for AVX-512.
#include "src/kernels/conv/winograd_tiles_of_four.h"
#include "src/kernels/gemm/avx512/activator_avx512.h"

namespace tamis {
namespace {
using Tiles = TilesOfFour<PanelF32Avx512, Activator512>;
}  // namespace

extern const KernelDef kernel_conv_winograd_avx512;
const KernelDef kernel_conv_winograd_avx512 = {
    .name = "conv_winograd_avx512",
    .family = "conv",
    .ops = {"ChannelsLastConv"},
    .isa = Isa::kAvx512,
    .supports = Tiles::Supported,
    .cost = [](const Problem& problem) { return Tiles::Cost(problem, Isa::kAvx512); },
    .prepare = PrepareWinograd<Tiles>,
    .in_place = kOverResidual,
};

}  // namespace tamis
