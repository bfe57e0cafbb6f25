// Windows that are sums of cosines: a0 - a1 cos(2 pi n / N) + a2 cos(4 pi n / N), with N the size (periodic) or one
// less.
#pragma once

#include "src/ops/op_bind.h"

namespace tamis {

// Input: the size, one number. Attributes: periodic, output_datatype.
Status InferCosineWindow(InferContext& context);
Status EvalCosineWindow(EvalContext& context, double a0, double a1, double a2);
std::vector<OpTestCase> CosineWindowCases();

}  // namespace tamis
