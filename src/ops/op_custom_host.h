// Calls of a custom operator's callbacks: what they may ask of the host, and what becomes of their answers.
#pragma once

#include "src/ops/op_def.h"
#include "tamis/custom_op.h"

namespace tamis {

Status CallInfer(const TamisCustomOp& op, InferContext& context);
// Uses CallInfer's rule for the outputs' shapes first; fails if a dimension still depends on data.
Status CallCompute(const TamisCustomOp& op, EvalContext& context);

}  // namespace tamis
