// From a graph with symbolic dimensions to one with concrete shapes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "src/ir/graph.h"
#include "tamis/session.h"

namespace tamis {

// Inputs and outputs of a graph as users see them.
std::vector<TensorSpec> InputSpecs(const Graph& graph);
std::vector<TensorSpec> OutputSpecs(const Graph& graph);

// Values of the symbols when the graph's inputs have these dimensions, in the order of graph.inputs. All contradictions
// (rank, fixed dimension, one symbol with two values) in one error of kind kUser.
Result<std::map<std::string, int64_t>> BindSymbols(const Graph& graph, const std::vector<Dims>& input_dims);
// The reverse: dimensions of every input under a binding. An unbound symbol is an error that names it.
Result<std::vector<Dims>> BoundInputDims(const Graph& graph, const std::map<std::string, int64_t>& binding);

// A copy whose shapes are all concrete and whose shape computations and other constant nodes are folded. Constants are
// shared with `graph`, not copied.
Result<Graph> Specialize(const Graph& graph, const std::vector<Dims>& input_dims);
Result<Graph> SpecializeAt(const Graph& graph, const std::map<std::string, int64_t>& binding);

// Sets constant_hash where it is not known, in bodies too: once for a graph, instead of at every preparation for new
// shapes.
void HashConstants(Graph& graph);

}  // namespace tamis
