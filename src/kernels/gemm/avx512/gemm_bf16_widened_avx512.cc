// Linear in bf16 multiplied in f32: the panel routine of gemm_f32_avx512 over rows that are widened block by block. On
// cores whose vdpbf16ps runs at a fraction of an FMA's rate, and on those that have none. The packed weight takes twice
// the bytes.
#include <immintrin.h>

#include "src/kernels/gemm/avx512/epilogue_avx512.h"
#include "src/kernels/gemm/gemm_panels.h"

namespace tamis {

void WidenBf16Avx512(const void* x, int64_t count, void* to) {
  const auto* from = static_cast<const uint16_t*>(x);
  auto* f32 = static_cast<float*>(to);
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) _mm512_storeu_ps(f32 + i, LoadBf16(from + i, 0xffff));
  const auto rest = static_cast<__mmask16>((1 << (count - i)) - 1);
  _mm512_mask_storeu_ps(f32 + i, rest, LoadBf16(from + i, rest));
}

extern const KernelDef kernel_gemm_bf16_widened_avx512;
const KernelDef kernel_gemm_bf16_widened_avx512 = {
    .name = "gemm_bf16_widened_avx512",
    .family = "gemm",
    .ops = {"Linear"},
    .isa = Isa::kAvx512,
    .supports = [](const Problem& problem) { return GemmPanelsSupported(problem, DType::kBFloat16, Pattern::kDense); },
    .cost = [](const Problem& problem) { return WidenedPanelsCost(ReadLinear(problem).value(), problem.threads); },
    .prepare = [](const Problem& problem, PackCache& cache) -> Result<std::unique_ptr<PreparedKernel>> {
      TAMIS_ASSIGN_OR_RETURN(const GemmShape shape, ReadLinear(problem));
      return PrepareWidenedPanels(shape, problem, cache);
    },
    .in_place = kOverResidual,
};

}  // namespace tamis
