#include "src/kernels/quantized/avx512/depthwise_int8_avx512.h"
#include "src/kernels/quantized/table_vbmi.h"

namespace tamis {

void DepthwiseInt8Vbmi(const DepthwiseInt8Args& args, const DepthwiseInt8Task& task) {
  DepthwiseInt8<DepthwiseAvx512>(args, task, TableVbmi(*args.result.table));
}

}  // namespace tamis
