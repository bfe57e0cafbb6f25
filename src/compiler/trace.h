// A run that keeps every value of the graph, and where two such runs part.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "src/ir/graph.h"
#include "tamis/session.h"

namespace tamis {

// Evaluates every node by its operator's reference, in double where the operator does. By value id; a value that no
// node made (an omitted input) is undefined. Constants are shared with the graph.
Result<std::vector<Tensor>> TraceReference(const Graph& graph, const NamedTensors& inputs);

// How far one value is from another of the same shape.
struct ValueError {
  double absolute = 0;  // max |a - b|; infinite where only one of them is NaN, or the shapes or dtypes' kinds differ
  double relative = 0;  // that over max |b|; of integers and booleans: 0 if all are equal, else infinite
};
ValueError ErrorOf(const Tensor& a, const Tensor& b);

struct TracedOperand {
  std::string name;
  DType dtype = DType::kUndefined;
  Dims dims;
  double min = 0, max = 0;  // of the finite elements
  int64_t not_finite = 0;
  bool constant = false;
};
TracedOperand Describe(const Graph& graph, ValueId id, const Tensor& tensor);

// The first value that leads to a wrong output.
struct Parting {
  std::string value;
  ValueError error;
  std::string op, node;  // what makes it: operator with domain, name as the file had it
  std::string other_op;  // what makes it in the run it is judged against
  std::string kernel;    // of the wrong run; "reference" where operators' references ran
  std::vector<TracedOperand> inputs;
  // Nodes between the parting and the last values that both runs agree on, where more than one could be at fault.
  std::vector<std::string> suspects;
};

// Judges the run `values` of `graph` against `expected` of `other`. Values are the same if their names are; a value
// that make_channels_last turned is compared in the turned order. Goes back from the outputs that differ through
// values that differ (or that only this graph has) to the first one whose operands agree, so that a value whose meaning
// a pass changed on purpose, and whose readers agree, is not taken for the culprit. nullopt if no output differs by
// more than `tolerance` (relative).
std::optional<Parting> FindParting(const Graph& graph, const std::vector<Tensor>& values, const Graph& other,
                                   const std::vector<Tensor>& expected, double tolerance);

// The largest relative error over the graphs' outputs, by name.
double OutputError(const Graph& graph, const std::vector<Tensor>& values, const Graph& other,
                   const std::vector<Tensor>& expected);

}  // namespace tamis
