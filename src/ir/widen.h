// Networks in half precision on a device that does not compute in it: widened once, as a whole, instead of node by
// node.
#pragma once

#include "src/ir/graph.h"

namespace tamis {

// Whether values of dtype `half` are more than inputs that are only cast, and outputs that a cast gives.
bool HoldsInside(const Graph& graph, DType half);

// Values of dtype `half` (kBFloat16 or kFloat16) become f32, in bodies too, and constants are widened once. Inputs and
// outputs of the graph keep their dtypes: a Cast stands behind and before them. What depends on the bits or was made
// elsewhere (BitCast, custom operators) keeps its operands' types likewise. Returns whether anything changed; a network
// that takes or gives sequences or optionals of `half` stays as it is.
bool Widen(Graph& graph, DType half);

}  // namespace tamis
