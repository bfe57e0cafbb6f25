#include <filesystem>
#include <map>
#include <new>
#include <optional>
#include <string_view>

#include "src/base/hash.h"
#include "src/onnx/contrib.h"
#include "src/onnx/detach.h"
#include "src/onnx/functions.h"
#include "src/onnx/graph_builder.h"
#include "src/onnx/model_parser.h"
#include "src/onnx/onnx.h"
#include "src/onnx/operators.h"
#include "src/onnx/string_limits.h"
#include "src/onnx/type_proto.h"
#include "src/ops/op_custom.h"
#include "src/ops/op_def.h"

namespace tamis {
namespace {

constexpr int64_t kOldestIrVersion = 3;

void ReserveSymbols(const onnx::TypeProto& type, Symbols::Of of, Symbols* symbols) {
  for (const auto& dim : type.tensor_type().shape().dim()) {
    if (!dim.dim_param().empty()) symbols->Reserve(dim.dim_param(), of);
  }
  if (type.has_sequence_type()) ReserveSymbols(type.sequence_type().elem_type(), of, symbols);
  if (type.has_optional_type()) ReserveSymbols(type.optional_type().elem_type(), of, symbols);
}

void ReserveSymbols(const onnx::GraphProto& graph, Symbols::Of inputs, Symbols* symbols) {
  for (const auto& info : graph.input()) ReserveSymbols(info.type(), inputs, symbols);
  for (const auto& info : graph.output()) ReserveSymbols(info.type(), Symbols::Of::kOther, symbols);
  for (const auto& info : graph.value_info()) ReserveSymbols(info.type(), Symbols::Of::kOther, symbols);
  for (const auto& node : graph.node()) {
    for (const auto& attribute : node.attribute()) {
      if (attribute.has_g()) ReserveSymbols(attribute.g(), Symbols::Of::kOther, symbols);
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

// Infers all shapes. Where a node can be inferred but for what the file declares of its outputs (exporters leave shapes
// of a network's earlier form there), the operator is believed, and a remark says so.
Status InferOverDeclarations(Graph& graph, std::vector<std::string>* remarks) {
  const Status strict = InferShapes(graph);
  if (strict.ok()) return strict;
  for (const NodeId id : graph.NodeIds()) {
    const Status as_declared = InferNode(graph, id);
    if (as_declared.ok()) continue;
    std::vector<std::pair<ValueId, Type>> declared;
    for (const ValueId output : graph.node(id).outputs) {
      if (output == kNoValue || !graph.value(output).type.IsTensor()) continue;
      Type& type = graph.value(output).type;
      declared.emplace_back(output, type);
      type.has_rank = false;
      type.shape.clear();
    }
    if (InferNode(graph, id).ok()) {
      remarks->push_back(as_declared.message() + ": the declaration is ignored");
      continue;
    }
    for (auto& [output, type] : declared) graph.value(output).type = std::move(type);
  }
  return InferShapes(graph);
}

std::vector<DType> OutputTypes(const Graph& graph) {
  std::vector<DType> types;
  for (const ValueId output : graph.outputs) types.push_back(graph.value(output).type.dtype);
  return types;
}

// Outputs whose operators make another type than the file declares (ONNX Runtime refuses those).
void TellOtherTypes(const Graph& graph, const std::vector<DType>& declared, std::vector<std::string>* remarks) {
  for (size_t i = 0; i < declared.size(); ++i) {
    const Value& output = graph.value(graph.outputs[i]);
    if (declared[i] == DType::kUndefined || declared[i] == output.type.dtype) continue;
    remarks->push_back(fmt::format("output {} is {} but is declared as {}: the declaration is ignored",
                                   Quote(output.name), Name(output.type.dtype), Name(declared[i])));
  }
}

ModelMeta ReadMeta(const onnx::ModelProto& model) {
  ModelMeta meta;
  meta.producer_name = model.producer_name();
  meta.producer_version = model.producer_version();
  meta.domain = model.domain();
  meta.description = model.doc_string();
  meta.graph_description = model.graph().doc_string();
  meta.version = model.model_version();
  std::map<std::string_view, size_t> places;  // a file may repeat a key, though it should not: the last value counts
  for (const auto& entry : model.metadata_props()) {
    const auto [place, is_new] = places.emplace(entry.key(), meta.properties.size());
    if (is_new) {
      meta.properties.emplace_back(entry.key(), entry.value());
    } else {
      meta.properties[place->second].second = entry.value();
    }
  }
  return meta;
}

NodeNotes TakeNotes(onnx::GraphProto* graph) {
  NodeNotes notes;
  for (auto& node : *graph->mutable_node()) {
    if (node.output().empty() || (node.doc_string().empty() && node.metadata_props().empty())) continue;
    NodeNote note;
    note.description = std::move(*node.mutable_doc_string());
    for (auto& entry : *node.mutable_metadata_props()) {
      note.properties.emplace_back(std::move(*entry.mutable_key()), std::move(*entry.mutable_value()));
    }
    notes.emplace(node.output(0), std::move(note));
  }
  return notes;
}

OnnxInfo ReadInfo(const onnx::ModelProto& model, uint64_t hash) {
  OnnxInfo info;
  info.meta = ReadMeta(model);
  info.ir_version = model.ir_version();
  info.hash = HexString(hash);
  return info;
}

Result<Graph> BuildChecked(onnx::ModelProto* model, std::vector<Tensor> elements, const std::string& folder,
                           OnnxInfo* info) {
  ImportContext context{ExternalData(folder), {}, {}, {}, std::move(elements)};
  Problems& problems = context.problems;
  if (model->ir_version() < kOldestIrVersion || model->ir_version() > onnx::IR_VERSION) {
    problems.Add(fmt::format("the file has IR version {}; {} to {} are supported", model->ir_version(),
                             kOldestIrVersion, int64_t{onnx::IR_VERSION}));
  }
  context.of_pytorch = model->producer_name() == "pytorch";
  CheckStrings(*model, &problems);
  TAMIS_RETURN_IF_ERROR(problems.ToStatus());
  if (info != nullptr) info->notes = TakeNotes(model->mutable_graph());
  InlineFunctions(model, &problems);
  ExpandContribOperators(model);
  context.opsets = ReadOpsets(*model, &problems);
  ReserveSymbols(model->graph(), Symbols::Of::kModelInput, &context.symbols);
  Graph graph = BuildGraph(model->mutable_graph(), &context);
  if (info != nullptr) info->external_files = context.external.Paths();
  CheckOperators(graph, &problems);
  TAMIS_RETURN_IF_ERROR(problems.ToStatus());

  const std::vector<DType> declared = OutputTypes(graph);
  TAMIS_RETURN_IF_ERROR(InferOverDeclarations(graph, &context.remarks));
  TellOtherTypes(graph, declared, &context.remarks);
  if (info != nullptr) info->remarks = std::move(context.remarks);
  CheckInferredShapes(graph, &problems);
  TAMIS_RETURN_IF_ERROR(problems.ToStatus());
  TAMIS_RETURN_IF_ERROR(graph.Verify());
  return graph;
}

// The model of bytes that are laid out as usual; nullopt, whatever is wrong, where they are not.
std::optional<Result<Graph>> ImportDetached(ByteSource& source, const std::string& folder, OnnxInfo* info) {
  std::optional<DetachedModel> detached = DetachElements(source);
  if (!detached) return std::nullopt;
  google::protobuf::Arena arena(ModelArenaOptions());
  const Result<onnx::ModelProto*> model = ParseModel(detached->skeleton, &arena);
  if (!model.ok()) return std::nullopt;
  std::string().swap(detached->skeleton);
  if (info != nullptr) *info = ReadInfo(**model, detached->hash);
  return BuildChecked(*model, std::move(detached->elements), folder, info);
}

// `bytes` are freed once they are parsed, so that a large model is in memory twice, not three times.
Result<Graph> ImportWhole(std::string_view bytes, std::string* owned, const std::string& folder, OnnxInfo* info) {
  google::protobuf::Arena arena(ModelArenaOptions());
  TAMIS_ASSIGN_OR_RETURN(onnx::ModelProto * model, ParseModel(bytes, &arena));
  if (info != nullptr) *info = ReadInfo(*model, Hash64(bytes));
  if (owned != nullptr) std::string().swap(*owned);
  return BuildChecked(model, {}, folder, info);
}

Result<Graph> ImportFile(const std::string& path, const std::string& folder, OnnxInfo* info) {
  {
    TAMIS_ASSIGN_OR_RETURN(const ModelFile file, OpenModelFile(path));
    FileSource source(file.descriptor.get(), file.bytes);
    if (auto graph = ImportDetached(source, folder, info)) return std::move(*graph);
  }
  TAMIS_ASSIGN_OR_RETURN(std::string bytes, ReadModelFile(path));
  return ImportWhole(bytes, &bytes, folder, info);
}

}  // namespace

Result<Graph> ImportOnnx(const std::string& path, OnnxInfo* info) try {
  TAMIS_RETURN_IF_ERROR(LoadCustomOpsFromEnvironment());
  const std::string folder = std::filesystem::path(path).parent_path().string();
  Result<Graph> graph = ImportFile(path, folder.empty() ? "." : folder, info);
  if (!graph.ok()) return graph.status().WithContext(path);
  return graph;
} catch (const std::bad_alloc&) {
  return RuntimeError("{}: not enough memory for the model", path);
}

Result<Graph> ImportOnnxBytes(const void* data, size_t bytes, const std::string& folder, OnnxInfo* info) try {
  TAMIS_RETURN_IF_ERROR(LoadCustomOpsFromEnvironment());
  const std::string_view model(static_cast<const char*>(data), bytes);
  MemorySource source(model);
  if (auto graph = ImportDetached(source, folder, info)) return std::move(*graph);
  return ImportWhole(model, nullptr, folder, info);
} catch (const std::bad_alloc&) {
  return RuntimeError("not enough memory for the model ({} bytes)", bytes);
}

}  // namespace tamis
