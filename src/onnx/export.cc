#include <new>

#include "src/onnx/model_writer.h"
#include "src/onnx/onnx.h"

namespace tamis {

Status ExportOnnx(const Graph& graph, const std::string& path, const ModelMeta& meta, const NodeNotes& notes) try {
  return WriteModel(graph, path, meta, notes, kMaxInlineBytes);
} catch (const std::bad_alloc&) {
  return RuntimeError("'{}': not enough memory to write the model", path);
}

}  // namespace tamis
