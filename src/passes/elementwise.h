// Operators that compute each element from the elements at the same place, operands broadcast.
#pragma once

#include "src/ir/graph.h"

namespace tamis {

// Of ONNX's domain. QuantizeLinear and DequantizeLinear count; with scales along an axis they know which one.
bool IsElementwise(const Node& node);

}  // namespace tamis
