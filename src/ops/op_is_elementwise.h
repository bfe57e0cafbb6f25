// Operators that compute each element from the elements at the same place, operands broadcast.
#pragma once

#include "src/ir/graph.h"

namespace tamis {

// QuantizeLinear and DequantizeLinear count; with scales along an axis they know which one. So do QuantizedLookup and
// QuantizedBinary of the tamis domain.
bool IsElementwise(const Node& node);

}  // namespace tamis
