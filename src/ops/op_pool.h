// Pools in both layouts: x[N, C, spatial...] of ONNX and x[N, spatial..., C] of the tamis domain.
#pragma once

#include "src/ops/op_window.h"

namespace tamis {

enum class Layout : uint8_t { kChannelsFirst, kChannelsLast };
enum class PoolKind : uint8_t { kMax, kAverage };

// The type of a windowed pool's one output; `y` is its dtype. Channels-last pools want explicit pads.
Result<std::vector<Type>> PoolType(const Operands& operands, Layout layout, DType y, NodeProblems problems);
// The type of a global pool's one output: every spatial dimension becomes 1.
Result<std::vector<Type>> GlobalPoolType(const Operands& operands, Layout layout, DType y, NodeProblems problems);

// Fill output 0, allocated by AllocateBy. A window without an element inside the input gives the lowest value (max) or
// 0 (average). NaNs propagate.
void ComputePool(EvalContext& context, Layout layout, PoolKind kind);
void ComputeGlobalPool(EvalContext& context, Layout layout, PoolKind kind);

}  // namespace tamis
