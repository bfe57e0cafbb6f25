// ONNX files <-> graphs. Protobuf links only into this folder.
#pragma once

#include <string>
#include <vector>

#include "src/ir/graph.h"
#include "src/ir/model_meta.h"
#include "src/onnx/node_notes.h"
#include "tamis/status.h"

namespace tamis {

struct OnnxInfo {
  ModelMeta meta;
  NodeNotes notes;  // of the main graph's nodes
  int64_t ir_version = 0;
  std::string hash;                         // of the file's bytes (HexString of Hash64), external data not counted
  std::vector<std::string> remarks;         // sentences for the user: what the file says wrongly, and was not believed
  std::vector<std::string> external_files;  // paths, links followed, of the files beside it that were read
};

// Reads a model, external data included (resolved beside the file, never outside its folder). Checks everything that
// the file could get wrong and reports all problems at once: truncated or foreign bytes, unknown operators (each one
// with its domain, opset and count), missing external data, cycles, dimensions whose product overflows. Shapes are
// inferred with symbolic dimensions kept. Errors are of kind kUser.
Result<Graph> ImportOnnx(const std::string& path, OnnxInfo* info = nullptr);
Result<Graph> ImportOnnxBytes(const void* data, size_t bytes, const std::string& folder, OnnxInfo* info = nullptr);

// Writes a graph of ONNX operators (no tamis domain) as a model that onnx.checker accepts, to a temporary name that is
// then renamed. Weights for which it has no room go beside it (FilesOfExport). Without a producer in `meta` it is
// Tamis. A note goes to the node of the main graph, if there still is one, that makes its value.
Status ExportOnnx(const Graph& graph, const std::string& path, const ModelMeta& meta = {}, const NodeNotes& notes = {});

// What that writes: `path` and, above some 2 GiB of constants, "<path>.data" for them.
std::vector<std::string> FilesOfExport(const Graph& graph, const std::string& path);

}  // namespace tamis
