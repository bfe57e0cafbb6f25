// Which nodes keep float32 when a network runs in a shorter type, and why.
#pragma once

#include <string_view>

#include "src/ir/graph.h"

namespace tamis {

// Why an operator's results may leave the range or the precision of a 16-bit float: exponentials, powers, roots,
// reciprocals, angles, sums over many elements. Empty if there is no such reason.
std::string_view RiskOf(const Graph& graph, const Node& node);
// Sums, differences, products and quotients: what a chain that began with a risk goes on with. They stay float32 to its
// end, so that a normalisation or a softmax written out in parts is computed as a whole.
bool ContinuesRisk(const Node& node);

// Whether a product is of images of one pixel: what a pool over the whole image leaves, of which the gates of whole
// channels are made (squeeze and excitation). Such products are few operations, and where one is wrong by the rounding
// of a large number so is every pixel of a channel.
bool IsOfOnePixel(const Graph& graph, const Node& node);

}  // namespace tamis
