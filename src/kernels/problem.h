// From nodes of a specialised graph to kernel problems.
#pragma once

#include "src/kernels/kernel.h"

namespace tamis {

// The problem of a node whose value types are all concrete. Inputs that are constants carry their elements and hash;
// the graph must outlive the problem. Error (kUser) if a dimension is still symbolic: its size depends on data.
Result<Problem> MakeProblem(const Graph& graph, const Node& node, int threads);

// Whether the kernel would not take the same problem with a dense weight.
bool NeedsTwoFour(const std::string& kernel_name, const Problem& problem);

// Whether all types of the node are known before it runs: tensors of fixed dimensions and fixed-size elements, and no
// regions.
bool IsConcrete(const Graph& graph, const Node& node);

// Nodes that only give their first input's bytes another shape. They run as no step at all.
bool IsView(const Node& node);

}  // namespace tamis
