// Softmax of ONNX along the last axis: the arguments of its bodies and the part that does not depend on the ISA. Items
// are rows; a row is kept in scratch as f32 between the passes.
#pragma once

#include "src/kernels/range_kernel.h"

namespace tamis {

struct SoftmaxArgs {
  int64_t columns = 0;
  bool bf16_input = false, bf16_output = false;
};

using SoftmaxBody = RangeBody<SoftmaxArgs>;

Status SupportsSoftmax(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareSoftmax(const Problem& problem, SoftmaxBody body);
double SoftmaxFlops(const Problem& problem);

}  // namespace tamis
