// Pools in both layouts: x[N, C, spatial...] of ONNX and x[N, spatial..., C] of the tamis domain.
#pragma once

#include "src/ops/op_window.h"

namespace tamis {

enum class Layout : uint8_t { kChannelsFirst, kChannelsLast };
enum class PoolKind : uint8_t { kMax, kAverage };

// Channels-first pools take ONNX floats; channels-last ones those of the tamis domain, and want explicit pads.
// The type of a windowed pool's one output; `y` is its dtype.
Result<std::vector<Type>> PoolType(const Operands& operands, Layout layout, DType y, NodeProblems problems);
// The type of a global pool's one output: every spatial dimension becomes 1.
Result<std::vector<Type>> GlobalPoolType(const Operands& operands, Layout layout, DType y, NodeProblems problems);

// Fill output 0, allocated by AllocateBy. A window without an element inside the input gives the lowest value (max) or
// 0 (average). NaNs propagate.
void ComputePool(EvalContext& context, Layout layout, PoolKind kind);
// Fills output 1 of a channels-first maximum: where each element of output 0 lies in the flattened input; -1 where a
// window has no element inside. Of equal elements the first counts.
void ComputeMaxIndices(EvalContext& context);
void ComputeGlobalPool(EvalContext& context, Layout layout, PoolKind kind);

// Type rules of the float pools.
Result<std::vector<Type>> FloatPoolRule(const Operands& operands, Layout layout);
Result<std::vector<Type>> FloatGlobalPoolRule(const Operands& operands, Layout layout);

// `infer` and `eval` of a float pool.
template <Layout kLayout>
Result<std::vector<Type>> FloatPoolRuleOf(const Operands& operands) {
  return FloatPoolRule(operands, kLayout);
}
template <Layout kLayout>
Status InferFloatPool(InferContext& context) {
  return InferBy(context, FloatPoolRuleOf<kLayout>);
}
template <Layout kLayout, PoolKind kKind>
Status EvalFloatPool(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, FloatPoolRuleOf<kLayout>));
  ComputePool(context, kLayout, kKind);
  return {};
}

// Of LpPool and GlobalLpPool: a float pool whose exponent p is positive.
Result<std::vector<Type>> LpPoolRule(const Operands& operands, bool global);

// `infer` and `eval` of a global float pool.
template <Layout kLayout>
Result<std::vector<Type>> FloatGlobalPoolRuleOf(const Operands& operands) {
  return FloatGlobalPoolRule(operands, kLayout);
}
template <Layout kLayout>
Status InferFloatGlobalPool(InferContext& context) {
  return InferBy(context, FloatGlobalPoolRuleOf<kLayout>);
}
template <Layout kLayout, PoolKind kKind>
Status EvalFloatGlobalPool(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, FloatGlobalPoolRuleOf<kLayout>));
  ComputeGlobalPool(context, kLayout, kKind);
  return {};
}

}  // namespace tamis
