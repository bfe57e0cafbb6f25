// Linear through oneDNN, by either of the two primitives that compute it. Dense weights only have a meaning here: a 2:4
// weight is multiplied as it is.
#pragma once

#include "src/kernels/gemm/gemm_shape.h"

namespace tamis::onednn {

enum class LinearPrimitive : uint8_t { kInnerProduct, kMatmul };

Status LinearSupported(const Problem& problem);
double LinearCost(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareLinear(const Problem& problem, PackCache& cache,
                                                      LinearPrimitive primitive);
// OK if oneDNN computes `dtype` on this CPU at the speed of its vectors.
Status DTypeSupported(DType dtype);

}  // namespace tamis::onednn
