// Softmax and LogSoftmax of ONNX along one axis: the arguments of their bodies and the part that does not depend on the
// ISA. Along the last axis items are rows, kept in scratch as f32 between the passes. Along another one, elements of a
// row lie `step` apart and the rows beside each other fill vectors: items are such vectors, or, where few rows lie
// beside each other, all of those.
#pragma once

#include "src/kernels/range_kernel.h"

namespace tamis {

struct SoftmaxArgs {
  int64_t columns = 0;
  int64_t step = 1;
  bool log = false;
  bool bf16_input = false, bf16_output = false;
};

inline bool IsNarrow(const SoftmaxArgs& args, int64_t lanes) {
  return args.step > 1 && 2 * args.step <= lanes;
}

using SoftmaxBody = RangeBody<SoftmaxArgs>;

Status SupportsSoftmax(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareSoftmax(const Problem& problem, SoftmaxBody body, int64_t lanes);
double SoftmaxFlops(const Problem& problem);

}  // namespace tamis
