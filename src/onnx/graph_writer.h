// Graph -> GraphProto.
#pragma once

#include <onnx-ml.pb.h>

#include <utility>
#include <vector>

#include "src/ir/graph.h"
#include "tamis/status.h"

namespace tamis {

// A weight whose elements are still to be written: as raw_data or to an external file.
struct PendingWeight {
  onnx::TensorProto* proto;  // inside the model, with name, dtype and dims set
  Tensor tensor;
};

// Fills `proto`. Inputs and outputs of the main graph keep their names, which must be unique and not empty; all other
// values get a name that no other value of any nested graph has, their own where it is free. Nodes get unique names.
// Constants that nobody reads are left out. Nodes of domain tamis are an error that lists them.
Status WriteGraph(const Graph& graph, onnx::GraphProto* proto, std::vector<PendingWeight>* weights);

}  // namespace tamis
