// What the shape rules of LayerNormalization, RMSNormalization and QuantizedLayerNorm share.
#pragma once

#include <optional>

#include "src/ops/op_rule.h"

namespace tamis {

// The first dimension of x that is normalised, by the attribute `axis`. Adds that it lies outside x, and that scale or
// bias (inputs 1 and 2) don't broadcast to x.
std::optional<size_t> CheckNormalisedRows(const Operands& operands, const Shape& x, NodeProblems* problems);

}  // namespace tamis
