// Products of f32 whose operands may be rounded to tf32, f32's range with 10 bits of mantissa, on devices that multiply
// such numbers faster; sums stay f32. Whether a network allows it is an attribute of its nodes, "tf32".
#pragma once

#include "src/ir/graph.h"

namespace tamis {

bool AllowsTf32(const Node& node);
// Marks all products and convolutions of the graph, those in regions too. Returns how many there are in f32.
int64_t AllowTf32(Graph& graph);

}  // namespace tamis
