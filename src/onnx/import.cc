#include <filesystem>
#include <new>
#include <string_view>

#include "src/base/hash.h"
#include "src/onnx/functions.h"
#include "src/onnx/graph_builder.h"
#include "src/onnx/model_parser.h"
#include "src/onnx/onnx.h"
#include "src/onnx/operators.h"
#include "src/onnx/type_proto.h"
#include "src/ops/op_custom.h"
#include "src/ops/op_def.h"

namespace tamis {
namespace {

constexpr int64_t kOldestIrVersion = 3;

void ReserveSymbols(const onnx::TypeProto& type, Symbols* symbols) {
  for (const auto& dim : type.tensor_type().shape().dim()) {
    if (!dim.dim_param().empty()) symbols->Reserve(dim.dim_param());
  }
  if (type.has_sequence_type()) ReserveSymbols(type.sequence_type().elem_type(), symbols);
  if (type.has_optional_type()) ReserveSymbols(type.optional_type().elem_type(), symbols);
}

void ReserveSymbols(const onnx::GraphProto& graph, Symbols* symbols) {
  for (const auto& info : graph.input()) ReserveSymbols(info.type(), symbols);
  for (const auto& info : graph.output()) ReserveSymbols(info.type(), symbols);
  for (const auto& info : graph.value_info()) ReserveSymbols(info.type(), symbols);
  for (const auto& node : graph.node()) {
    for (const auto& attribute : node.attribute()) {
      if (attribute.has_g()) ReserveSymbols(attribute.g(), symbols);
    }
  }
}

// Inference may have multiplied dimensions that are harmless one by one.
void CheckInferredShapes(const Graph& graph, Problems* problems) {
  for (NodeId id : graph.NodeIds()) {
    for (ValueId output : graph.node(id).outputs) {
      if (output == kNoValue) continue;
      const Value& value = graph.value(output);
      problems->Add(CheckShape(value.type.shape).WithContext("value " + Quote(value.name)));
    }
  }
}

OnnxInfo ReadInfo(const onnx::ModelProto& model, std::string_view bytes) {
  OnnxInfo info;
  info.producer = model.producer_name();
  if (!model.producer_version().empty()) info.producer += " " + model.producer_version();
  info.ir_version = model.ir_version();
  info.hash = HexString(Hash64(bytes));
  for (const auto& entry : model.metadata_props()) info.metadata[entry.key()] = entry.value();
  return info;
}

Result<Graph> BuildChecked(onnx::ModelProto* model, const std::string& folder) {
  ImportContext context{ExternalData(folder), {}, {}, {}};
  Problems& problems = context.problems;
  if (model->ir_version() < kOldestIrVersion || model->ir_version() > onnx::IR_VERSION) {
    problems.Add(fmt::format("the file has IR version {}; {} to {} are supported", model->ir_version(),
                             kOldestIrVersion, int64_t{onnx::IR_VERSION}));
  }
  InlineFunctions(model, &problems);
  context.opsets = ReadOpsets(*model, &problems);
  ReserveSymbols(model->graph(), &context.symbols);
  Graph graph = BuildGraph(model->mutable_graph(), &context);
  CheckOperators(graph, &problems);
  TAMIS_RETURN_IF_ERROR(problems.ToStatus());

  TAMIS_RETURN_IF_ERROR(InferShapes(graph));
  CheckInferredShapes(graph, &problems);
  TAMIS_RETURN_IF_ERROR(problems.ToStatus());
  TAMIS_RETURN_IF_ERROR(graph.Verify());
  return graph;
}

// `bytes` are freed once they are parsed, so that a large model is in memory twice, not three times.
Result<Graph> Import(std::string_view bytes, std::string* owned, const std::string& folder, OnnxInfo* info) try {
  TAMIS_RETURN_IF_ERROR(LoadCustomOpsFromEnvironment());
  TAMIS_ASSIGN_OR_RETURN(onnx::ModelProto model, ParseModel(bytes));
  if (info != nullptr) *info = ReadInfo(model, bytes);
  if (owned != nullptr) std::string().swap(*owned);
  return BuildChecked(&model, folder);
} catch (const std::bad_alloc&) {
  return RuntimeError("not enough memory for the model ({} bytes)", bytes.size());
}

}  // namespace

Result<Graph> ImportOnnx(const std::string& path, OnnxInfo* info) try {
  TAMIS_ASSIGN_OR_RETURN(std::string bytes, ReadModelFile(path));
  const std::string folder = std::filesystem::path(path).parent_path().string();
  Result<Graph> graph = Import(bytes, &bytes, folder.empty() ? "." : folder, info);
  if (!graph.ok()) return graph.status().WithContext(path);
  return graph;
} catch (const std::bad_alloc&) {
  return RuntimeError("{}: not enough memory to read the file", path);
}

Result<Graph> ImportOnnxBytes(const void* data, size_t bytes, const std::string& folder, OnnxInfo* info) {
  return Import(std::string_view(static_cast<const char*>(data), bytes), nullptr, folder, info);
}

}  // namespace tamis
