// ChannelsLastConv of 3 x 3 in bf16 by Winograd's method, tiles of 2 x 2: transforms in f32, products by vdpbf16ps. Its
// weight is 16/9 of the direct one (tiles of 4 x 4 in f32: eight times), which counts where an image has few pixels.
#include "src/kernels/conv/winograd_body.h"
#include "src/kernels/gemm/avx512/activator_avx512.h"

namespace tamis {
namespace {

struct TilesOfTwo {
  static constexpr winograd::Method kMethod = winograd::kTilesOfTwo;
  static constexpr int64_t kReach = 4, kTile = 2;
  static constexpr DType kMultiplied = DType::kBFloat16;
  using Element = uint16_t;

  template <Activation kActivation>
  using Activator = Activator512<kActivation>;

  static TAMIS_INLINE void TransformInput(const Vec (&d)[kReach], Vec (&v)[kReach]) {
    v[0] = d[2] - d[0];
    v[1] = d[1] + d[2];
    v[2] = d[2] - d[1];
    v[3] = d[3] - d[1];
  }
  static TAMIS_INLINE void TransformResult(const Vec (&m)[kReach], Vec (&y)[kTile]) {
    y[0] = m[0] + (m[1] + m[2]);
    y[1] = (m[1] - m[2]) + m[3];
  }
  static TAMIS_INLINE void Save(uint16_t* to, Vec v) { StoreBf16<true>(to, 0xffff, v.v); }
  static void Multiply(const PanelTask& task) { PanelBf16Avx512(task); }
};

}  // namespace

extern const KernelDef kernel_conv_winograd_bf16_avx512;
const KernelDef kernel_conv_winograd_bf16_avx512 = {
    .name = "conv_winograd_bf16_avx512",
    .family = "conv",
    .ops = {"ChannelsLastConv"},
    .isa = Isa::kAvx512,
    .feature = CpuFeature::kAvx512Bf16,
    .supports =
        [](const Problem& problem) { return winograd::Supports(problem, TilesOfTwo::kMethod, DType::kBFloat16); },
    .cost =
        [](const Problem& problem) {
          return winograd::WinogradCost(problem, Isa::kAvx512, TilesOfTwo::kMethod, TilesOfTwo::kMultiplied);
        },
    .prepare = PrepareWinograd<TilesOfTwo>,
    .in_place = kOverResidual,
};

}  // namespace tamis
