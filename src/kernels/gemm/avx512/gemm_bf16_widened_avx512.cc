// Linear in bf16 multiplied in f32: the panel routine of gemm_f32_avx512 over rows that are widened block by block. On
// cores whose vdpbf16ps runs at a fraction of an FMA's rate, and on those that have none. The packed weight takes twice
// the bytes.
#include "src/kernels/gemm/gemm_panels.h"
#include "src/kernels/vec.h"

namespace tamis {

void WidenBf16Avx512(const void* x, int64_t count, void* to) {
  Map(static_cast<const Bf16*>(x), static_cast<float*>(to), count, [](Vec v) { return v; });
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
