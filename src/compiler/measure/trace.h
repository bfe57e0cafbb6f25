// A run that keeps every value of the graph, and where two such runs part.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "src/ir/graph.h"
#include "tamis/datum.h"
#include "tamis/session.h"

namespace tamis {

// Every value of a graph, by id; one that no node made (an omitted input) is nothing. Constants are shared with the
// graph.
using Trace = std::vector<Datum>;
// Is told of every run of a region's body, as it ends: the body, and its values.
using BodyVisitor = std::function<void(const Graph& body, const Trace& values)>;

// Evaluates every node by its operator's reference, in double where the operator does, and the bodies of regions in the
// same way.
Result<Trace> TraceReference(const Graph& graph, const NamedTensors& inputs, const BodyVisitor& visitor = {});

// How far one value is from another of the same shape. Of sequences: the largest error of an element; sequences of
// different lengths, and values of different kinds, are infinitely far.
struct ValueError {
  double absolute = 0;  // max |a - b|; infinite where only one of them is NaN, or the shapes or dtypes' kinds differ
  double relative = 0;  // that over max |b|; of integers and booleans: 0 if all are equal, else infinite
};
ValueError ErrorOf(const Datum& a, const Datum& b);

struct TracedOperand {
  std::string name;
  DType dtype = DType::kUndefined;
  Dims dims;
  double min = 0, max = 0;  // of the finite elements
  int64_t not_finite = 0;
  bool constant = false;
  std::string kind = "tensor";  // or "sequence" (dims: how many elements it has), or "nothing" (an empty optional)
};
TracedOperand Describe(const Graph& graph, ValueId id, const Datum& datum);

// The first output that a node has; kNoValue if all are omitted.
ValueId FirstOutput(const Node& node);

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
std::optional<Parting> FindParting(const Graph& graph, const Trace& values, const Graph& other, const Trace& expected,
                                   double tolerance);

// The largest relative error over the graphs' outputs, by name.
double OutputError(const Graph& graph, const Trace& values, const Graph& other, const Trace& expected);

}  // namespace tamis
