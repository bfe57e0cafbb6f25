// Which operators and operator sets Tamis understands.
#pragma once

#include <onnx-ml.pb.h>

#include <map>
#include <string>

#include "src/ir/graph.h"
#include "src/onnx/problems.h"

namespace tamis {

// Operator sets of ai.onnx that are read; the newest is the one that the schema's release defines. Definitions hold
// "since N until superseded", so a newer set is refused: it may have superseded any of them.
inline constexpr int64_t kOldestOpset = 7;
inline constexpr int64_t kNewestOpset = 28;

// Domain -> version, "" for ai.onnx.
std::map<std::string, int64_t> ReadOpsets(const onnx::ModelProto& model, Problems* problems);

// Reports every operator of the graph and its regions that is unknown, or known from a later opset only, each with its
// domain, operator set, number of nodes and one node's name.
void CheckOperators(const Graph& graph, Problems* problems);

}  // namespace tamis
