// QuantizedConv with one filter per channel in floats, which hold its sums exactly.
#include "src/kernels/quantized/avx2/depthwise_int8_float.h"

namespace tamis {
namespace {

void Body(const DepthwiseInt8Args& args, const DepthwiseInt8Task& task) { DepthwiseFloats(args, task).Run(); }

}  // namespace

extern const KernelDef kernel_quantized_depthwise_avx2;
const KernelDef kernel_quantized_depthwise_avx2 = {
    .name = "quantized_depthwise_avx2",
    .family = "quantized",
    .ops = {"QuantizedConv"},
    .isa = Isa::kAvx2,
    .supports = SupportsDepthwiseFloats,
    .cost = [](const Problem& problem) { return DepthwiseInt8Cost(problem, Isa::kAvx2, 1); },
    .prepare =
        [](const Problem& problem, PackCache&) {
          return PrepareDepthwiseInt8(problem, {.body = Body, .block = DepthwiseFloats::kLanes, .floats = true});
        },
};

}  // namespace tamis
