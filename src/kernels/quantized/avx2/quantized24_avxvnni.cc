// int8 products with a 2:4 weight for processors with VNNI in 256 bits only: vpshufb picks the kept ones of eight
// inputs, vpdpbusd adds four products.
#include "src/kernels/quantized/avx2/int8_tile_avx2.h"

namespace tamis {
namespace {

struct VnniDot {
  static constexpr int kTallest = 12;
  using Weight = __m256i;
  static Weight Prepare(__m256i w) { return w; }
  static __m256i Add(__m256i acc, __m256i x, Weight w) { return _mm256_dpbusd_avx_epi32(acc, x, w); }
};

constexpr Int8Routine kRoutine = {.sparse = true, .widen = WidenCodes, .run = RunTiles<VnniDot, true>};

}  // namespace

extern const KernelDef kernel_quantized24_avxvnni;
const KernelDef kernel_quantized24_avxvnni = {
    .name = "quantized24_avxvnni",
    .family = "quantized",
    .ops = {"QuantizedLinear", "QuantizedConv", "DynamicQuantizedLinear"},
    .isa = Isa::kAvx2,
    .supports =
        [](const Problem& problem) {
          return HasAvxVnni() ? Int8PanelsSupported(problem, true) : UserError("needs AVX_VNNI");
        },
    .cost = [](const Problem& problem) { return Int8PanelsCost(problem, Isa::kAvx2, 0.55); },
    .prepare = [](const Problem& problem, PackCache& cache) { return PrepareInt8Panels(problem, cache, kRoutine); },
};

}  // namespace tamis
