// Folding y * scale + shift, a number a channel, into the constant weight and bias of the node that makes y.
#pragma once

#include <optional>
#include <span>

#include "src/passes/rewriter.h"

namespace tamis {

// A Conv, ConvTranspose, Gemm or MatMul with a constant f32 weight, whose result has one reader.
struct ScalableProducer {
  NodeId node = kNoNode;
  int64_t channels = 0;
  int64_t channel_axis = 0;    // of the result
  bool weight_shared = false;  // others read the weight too
  bool takes_shift = true;     // false for MatMul, which has no bias
};
std::optional<ScalableProducer> FindScalableProducer(const Rewriter& rewriter, ValueId value);

// Computed in double, stored as f32. The weight keeps its name unless others read it. `shift` must be zero where
// takes_shift is false.
void ScaleProducer(Rewriter& rewriter, const ScalableProducer& producer, std::span<const double> scale,
                   std::span<const double> shift);

}  // namespace tamis
