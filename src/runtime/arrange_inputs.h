// What a request gives by name as the values that a network's inputs take.
#pragma once

#include <string>
#include <vector>

#include "src/engine/engine.h"
#include "src/ir/graph.h"
#include "tamis/session.h"

namespace tamis {

// The values in the order of graph.inputs, which `specs` are InputSpecs of. All that is wrong in one error (kUser):
// unknown and missing names, types, shapes, dimensions that no profile holds. Optional inputs may be left out.
Result<std::vector<Datum>> ArrangeInputs(const Graph& graph, const std::vector<TensorSpec>& specs,
                                         const std::vector<Profile>& profiles, const NamedData& inputs);

// What a value is, in words: "a tensor of float32", "a sequence", "nothing".
std::string KindText(const Datum& datum);

}  // namespace tamis
