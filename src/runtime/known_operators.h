// Whether this program can compute every node of an engine.
#pragma once

#include <vector>

#include "src/engine/engine.h"

namespace tamis {

// An error (kUser) that lists every operator that is not known, with a node of it and, if the engine says so, the
// custom library that brings it.
Status CheckOperatorsKnown(const Graph& graph, const std::vector<CustomOpRecord>& custom_ops);

}  // namespace tamis
