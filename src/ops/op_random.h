// Operators whose results differ from run to run: never folded, never taken for one another.
#pragma once

#include "src/ir/graph.h"

namespace tamis {

bool IsRandom(const Node& node);

}  // namespace tamis
