// ModelProto of a graph, and the files that it is written to.
#pragma once

#include <cstdint>
#include <string>

#include "src/ir/graph.h"
#include "src/ir/model_meta.h"
#include "src/onnx/node_notes.h"
#include "tamis/status.h"

namespace tamis {

// protobuf's limit, less what the nodes may take.
inline constexpr uint64_t kMaxInlineBytes = (uint64_t{1} << 31) - (uint64_t{64} << 20);

// ExportOnnx with the number of weight bytes up to which everything goes into one file.
Status WriteModel(const Graph& graph, const std::string& path, const ModelMeta& meta, const NodeNotes& notes,
                  uint64_t max_inline_bytes);

// The IR version that came with a version of ai.onnx, at least 4: before that, weights had to be inputs too.
int64_t IrVersion(int64_t opset);

}  // namespace tamis
