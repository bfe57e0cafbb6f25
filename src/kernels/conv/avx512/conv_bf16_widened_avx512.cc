// ChannelsLastConv in bf16 with one tap, multiplied in f32: gemm_bf16_widened_avx512 over pixels.
#include "src/kernels/conv/conv_panels.h"

namespace tamis {

extern const KernelDef kernel_conv_bf16_widened_avx512;
const KernelDef kernel_conv_bf16_widened_avx512 = {
    .name = "conv_bf16_widened_avx512",
    .family = "conv",
    .ops = {"ChannelsLastConv"},
    .isa = Isa::kAvx512,
    .supports = [](const Problem& problem) -> Status {
      TAMIS_RETURN_IF_ERROR(ConvPanelsSupported(problem, DType::kBFloat16, Pattern::kDense));
      if (!ReadConv(problem)->Pointwise()) return UserError("needs a kernel of one pixel, no stride and no padding");
      return {};
    },
    .cost = [](const Problem& problem) { return WidenedPanelsCost(ReadConv(problem)->AsGemm(), problem.threads); },
    .prepare = [](const Problem& problem, PackCache& cache) -> Result<std::unique_ptr<PreparedKernel>> {
      TAMIS_ASSIGN_OR_RETURN(const ConvShape shape, ReadConv(problem));
      return PrepareWidenedPanels(shape.AsGemm(), problem, cache);
    },
    .in_place = kOverResidual,
};

}  // namespace tamis
