#include "src/onnx/model_writer.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <filesystem>
#include <optional>
#include <set>
#include <utility>

#include "src/base/atomic_file.h"
#include "src/base/tensor_store.h"
#include "src/base/version.h"
#include "src/onnx/graph_writer.h"
#include "src/onnx/names.h"
#include "src/onnx/onnx.h"
#include "src/onnx/problems.h"
#include "src/onnx/tensor_proto.h"

namespace tamis {
namespace {

constexpr size_t kMinExternalBytes = 1024;  // smaller tensors stay in the model
constexpr const char* kWeightSuffix = ".data";
constexpr size_t kAlignment = 4096;  // of a tensor in the external file, so that readers may map it

// protobuf's view of an AtomicFile; keeps the first error.
class FileOutput : public google::protobuf::io::CopyingOutputStream {
 public:
  explicit FileOutput(AtomicFile* file) : file_(file) {}
  bool Write(const void* data, int bytes) override {
    if (status_.ok()) status_ = file_->Write(data, static_cast<size_t>(bytes));
    return status_.ok();
  }
  const Status& status() const { return status_; }

 private:
  AtomicFile* file_;
  Status status_;
};

void CollectDomains(const onnx::GraphProto& graph, std::set<std::string>* domains) {
  for (const auto& node : graph.node()) {
    domains->insert(node.domain());
    for (const auto& attribute : node.attribute()) {
      if (attribute.has_g()) CollectDomains(attribute.g(), domains);
    }
  }
}

Status WriteOpsets(const Graph& graph, onnx::ModelProto* model) {
  std::set<std::string> domains;
  CollectDomains(model->graph(), &domains);
  std::map<std::string, int64_t> opsets = graph.opsets;
  opsets.erase(std::string(kTamisDomain));
  if (!opsets.contains("")) return InternalError("the graph has no version of ai.onnx");
  for (const std::string& domain : domains) opsets.emplace(domain, 1);
  for (const auto& [domain, version] : opsets) {
    auto* opset = model->add_opset_import();
    opset->set_domain(domain);
    opset->set_version(version);
  }
  return {};
}

// Types that came later than the operator set need a later IR version too.
int64_t IrVersionFor(const Graph& graph, const std::vector<PendingWeight>& weights) {
  int64_t version = IrVersion(graph.Opset());
  for (const PendingWeight& weight : weights) {
    const DType dtype = weight.tensor.dtype();
    if (dtype >= DType::kFloat8E4M3 && dtype <= DType::kFloat8E5M2Fnuz) version = std::max<int64_t>(version, 9);
    if (dtype == DType::kInt4 || dtype == DType::kUInt4) version = std::max<int64_t>(version, 10);
  }
  return version;
}

// `proto`: of a message with metadata_props.
template <class Proto>
void WriteProperties(const std::vector<std::pair<std::string, std::string>>& properties, Proto* proto) {
  for (const auto& [key, value] : properties) {
    auto* entry = proto->add_metadata_props();
    entry->set_key(key);
    entry->set_value(value);
  }
}

void WriteMeta(const ModelMeta& meta, onnx::ModelProto* model) {
  const bool ours = meta.producer_name.empty();
  model->set_producer_name(ours ? "tamis" : meta.producer_name);
  model->set_producer_version(ours ? std::string(kVersion) : meta.producer_version);
  if (!meta.domain.empty()) model->set_domain(meta.domain);
  if (!meta.description.empty()) model->set_doc_string(meta.description);
  if (meta.version != 0) model->set_model_version(meta.version);
  if (!meta.graph_description.empty()) model->mutable_graph()->set_doc_string(meta.graph_description);
  WriteProperties(meta.properties, model);
}

void WriteNotes(const NodeNotes& notes, onnx::GraphProto* graph) {
  if (notes.empty()) return;
  for (auto& node : *graph->mutable_node()) {
    const auto note = node.output().empty() ? notes.end() : notes.find(node.output(0));
    if (note == notes.end()) continue;
    if (!note->second.description.empty()) node.set_doc_string(note->second.description);
    WriteProperties(note->second.properties, &node);
  }
}

void SetExternal(const std::string& location, uint64_t offset, size_t bytes, onnx::TensorProto* proto) {
  const std::array<std::pair<const char*, std::string>, 3> entries = {
      {{"location", location}, {"offset", std::to_string(offset)}, {"length", std::to_string(bytes)}}};
  proto->set_data_location(onnx::TensorProto::EXTERNAL);
  for (const auto& [key, value] : entries) {
    auto* entry = proto->add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  }
}

// Puts the elements of the large weights into `file` and their places into the model.
Status WriteExternal(const std::vector<PendingWeight>& weights, const std::string& location, AtomicFile* file) {
  static constexpr std::array<std::byte, kAlignment> kZeros = {};
  uint64_t offset = 0;
  for (const PendingWeight& weight : weights) {
    const size_t bytes = weight.tensor.NumBytes();
    if (bytes < kMinExternalBytes) continue;
    const size_t padding = (kAlignment - offset % kAlignment) % kAlignment;
    TAMIS_RETURN_IF_ERROR(file->Write(kZeros.data(), padding));
    TAMIS_RETURN_IF_ERROR(file->Write(weight.tensor.raw(), bytes));
    TensorStore::Rest(weight.tensor);
    offset += padding;
    SetExternal(location, offset, bytes, weight.proto);
    offset += bytes;
  }
  return {};
}

void WriteInline(const std::vector<PendingWeight>& weights) {
  for (const PendingWeight& weight : weights) {
    if (weight.proto->data_location() == onnx::TensorProto::EXTERNAL) continue;
    WriteElements(weight.tensor, weight.proto);
    TensorStore::Rest(weight.tensor);
  }
}

Result<AtomicFile> Serialize(const onnx::ModelProto& model, const std::string& path) {
  const size_t bytes = model.ByteSizeLong();
  if (bytes > INT_MAX) {
    return UserError("'{}' would have {} bytes without its weights; protobuf holds at most 2 GiB", path, bytes);
  }
  TAMIS_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  FileOutput output(&file);
  google::protobuf::io::CopyingOutputStreamAdaptor stream(&output, 1 << 20);
  const bool written = model.SerializeToZeroCopyStream(&stream) && stream.Flush();
  TAMIS_RETURN_IF_ERROR(output.status());
  if (!written) return InternalError("the model could not be serialised");
  return file;
}

}  // namespace

int64_t IrVersion(int64_t opset) {
  // First operator set of each IR version, newest first.
  constexpr std::array<std::pair<int64_t, int64_t>, 10> kVersions = {
      {{28, 14}, {25, 13}, {24, 12}, {23, 11}, {21, 10}, {19, 9}, {15, 8}, {12, 7}, {11, 6}, {10, 5}}};
  for (const auto& [first, version] : kVersions) {
    if (opset >= first) return version;
  }
  return 4;
}

Status WriteModel(const Graph& graph, const std::string& path, const ModelMeta& meta, const NodeNotes& notes,
                  uint64_t max_inline_bytes) {
  TAMIS_RETURN_IF_ERROR(meta.CheckSize());
  TAMIS_RETURN_IF_ERROR(graph.Verify());
  onnx::ModelProto model;
  std::vector<PendingWeight> weights;
  TAMIS_RETURN_IF_ERROR(WriteGraph(graph, model.mutable_graph(), &weights));
  TAMIS_RETURN_IF_ERROR(WriteOpsets(graph, &model));
  model.set_ir_version(IrVersionFor(graph, weights));
  WriteMeta(meta, &model);
  WriteNotes(notes, model.mutable_graph());

  uint64_t weight_bytes = 0;
  for (const PendingWeight& weight : weights) weight_bytes += weight.tensor.NumBytes();
  const bool external = weight_bytes > max_inline_bytes;
  const std::string data_path = path + kWeightSuffix;
  std::optional<AtomicFile> data_file;
  if (external) {
    TAMIS_ASSIGN_OR_RETURN(data_file, AtomicFile::Create(data_path));
    const std::string location = std::filesystem::path(data_path).filename().string();
    TAMIS_RETURN_IF_ERROR(WriteExternal(weights, location, &*data_file));
  }
  WriteInline(weights);
  TAMIS_ASSIGN_OR_RETURN(AtomicFile model_file, Serialize(model, path));
  // The model's name appears last: who sees it finds its weights.
  if (external) TAMIS_RETURN_IF_ERROR(data_file->Commit());
  const Status status = model_file.Commit();
  if (!status.ok() && external) ::unlink(data_path.c_str());
  return status;
}

std::vector<std::string> FilesOfExport(const Graph& graph, const std::string& path) {
  uint64_t bytes = 0;
  for (size_t id = 0; id < graph.NumValues(); ++id) {
    const auto& constant = graph.value(static_cast<ValueId>(id)).constant;
    if (constant) bytes += constant->NumBytes();
  }
  std::vector<std::string> files = {path};
  if (bytes > kMaxInlineBytes) files.push_back(path + kWeightSuffix);
  return files;
}

}  // namespace tamis
