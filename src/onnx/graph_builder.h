// GraphProto -> Graph.
#pragma once

#include <onnx-ml.pb.h>

#include <map>
#include <string>
#include <vector>

#include "src/ir/graph.h"
#include "src/onnx/external_data.h"
#include "src/onnx/problems.h"
#include "src/onnx/symbols.h"

namespace tamis {

// What the graphs of one model share while they are built.
struct ImportContext {
  ExternalData external;
  std::map<std::string, int64_t> opsets;
  Symbols symbols;
  Problems problems;
  // By initializer of the main graph, as in DetachedModel::elements; may be shorter than the initializers are many.
  std::vector<Tensor> elements = {};
  std::vector<std::string> remarks = {};  // as in OnnxInfo
  bool of_pytorch = false;                // PyTorch wrote the file
};

// Builds the graph in topological order, with declared types but without inferred ones. `proto` gives up its weights.
//
// Initializers and Constant nodes become constants, also where an input of the same name would let a caller override
// them (files before IR version 4 list every initializer as an input). Graph attributes become regions. A name that a
// body does not define is looked up outwards: a constant found there is a constant of the body too (the elements are
// shared), so that shape rules see it; anything else becomes a capture.
//
// What is wrong goes to `context->problems`, and the graph is then of no use.
Graph BuildGraph(onnx::GraphProto* proto, ImportContext* context);

}  // namespace tamis
