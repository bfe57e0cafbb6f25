// What ScatterND, ScatterElements and Scatter share: writing or reducing single runs of elements.
#pragma once

#include <string>
#include <vector>

#include "src/ops/op_bind.h"

namespace tamis {

// The attribute reduction is none, add, mul, max or min.
Status CheckReduction(const InferContext& context);
// For each i, output 0's `run` elements from targets[i] on are replaced by or reduced with the `run` elements of
// `updates` from i * run on. Output 0 holds a copy of the data; the caller answers for the targets.
void Scatter(EvalContext& context, const Tensor& updates, const std::vector<int64_t>& targets, int64_t run);

// ScatterElements, and Scatter before it had the name.
Status InferScatterElements(InferContext& context);
Status EvalScatterElements(EvalContext& context);

}  // namespace tamis
