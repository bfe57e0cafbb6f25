#include <algorithm>
#include <array>
#include <numeric>

#include "src/base/atomic_file.h"
#include "src/base/hash.h"
#include "src/engine/engine.h"
#include "src/engine/format.h"
#include "src/engine/graph_codec.h"
#include "src/engine/record_codec.h"

namespace tamis {
namespace {

std::vector<flatbuffers::Offset<fb::Weight>> EncodeWeights(flatbuffers::FlatBufferBuilder& fbb,
                                                           const WeightTable& table) {
  std::vector<flatbuffers::Offset<fb::Weight>> weights;
  for (const WeightRecord& record : table.records()) {
    weights.push_back(fb::CreateWeight(fbb, fbb.CreateString(record.name), record.offset, record.bytes, record.checksum,
                                       record.two_four ? fb::Encoding::TwoFour : fb::Encoding::Dense,
                                       static_cast<uint8_t>(record.sparse.element_bytes), record.sparse.rows,
                                       record.sparse.row_elements));
  }
  return weights;
}

size_t ConstantBytes(const Graph& graph) {
  size_t bytes = 0;
  for (size_t i = 0; i < graph.NumValues(); ++i) {
    const Value& value = graph.value(static_cast<ValueId>(i));
    if (value.constant) bytes += value.constant->NumBytes();
  }
  return bytes;
}

// Writes and counts, so that padding needs no arithmetic of its own.
class Sink {
 public:
  explicit Sink(AtomicFile* file) : file_(*file) {}
  Status Write(const void* data, size_t bytes) {
    at_ += bytes;
    return file_.Write(data, bytes);
  }
  Status PadTo(uint64_t offset) {
    static constexpr std::array<char, 4096> kZeros{};
    while (at_ < offset) TAMIS_RETURN_IF_ERROR(Write(kZeros.data(), std::min<uint64_t>(kZeros.size(), offset - at_)));
    return {};
  }

 private:
  AtomicFile& file_;
  uint64_t at_ = 0;
};

}  // namespace

Status WriteEngine(const Engine& engine, const std::string& path) {
  TAMIS_RETURN_IF_ERROR(engine.provenance.model.CheckSize());
  flatbuffers::FlatBufferBuilder fbb(1 << 20);
  WeightTable table;
  GraphEncoder encoder(&fbb, &table);
  const auto context = [&](const char* which) { return "'" + path + "': the " + which + " graph"; };
  // The widest first: narrower variants then refer to its weights.
  std::vector<int> order(static_cast<size_t>(engine.NumVariants()));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return ConstantBytes(engine.Fused(a)) > ConstantBytes(engine.Fused(b)); });
  std::vector<flatbuffers::Offset<fb::Graph>> fused(order.size());
  for (const int variant : order) {
    auto encoded = encoder.Encode(engine.Fused(variant));
    if (!encoded.ok()) return encoded.status().WithContext(context("fused"));
    fused[static_cast<size_t>(variant)] = *encoded;
  }
  std::vector<flatbuffers::Offset<fb::Variant>> variants;
  for (size_t i = 0; i < engine.variants.size(); ++i) {
    variants.push_back(fb::CreateVariant(fbb, fbb.CreateString(engine.variants[i].precision), fused[i + 1]));
  }
  flatbuffers::Offset<fb::Graph> source;
  if (engine.source.NumNodes() > 0) {
    auto encoded = encoder.Encode(engine.source);
    if (!encoded.ok()) return encoded.status().WithContext(context("source"));
    source = *encoded;
  }
  std::vector<flatbuffers::Offset<fb::Plan>> plans;
  for (const Plan& plan : engine.plans) plans.push_back(EncodePlan(fbb, plan));
  const auto weights = fbb.CreateVector(EncodeWeights(fbb, table));
  const auto stored_plans = fbb.CreateVector(plans);
  Provenance provenance = engine.provenance;
  provenance.source_exact = provenance.source_exact && encoder.exact();
  const auto stored_provenance = EncodeProvenance(fbb, provenance);
  const auto stored_variants = variants.empty() ? 0 : fbb.CreateVector(variants);
  fbb.Finish(fb::CreateEngine(fbb, fused[0], source, weights, stored_plans, stored_provenance, stored_variants));

  FileHeader header;
  header.header_bytes = sizeof(FileHeader);
  header.metadata_offset = AlignUp(sizeof(FileHeader), 16);  // FlatBuffers wants its largest scalar's alignment
  header.metadata_bytes = fbb.GetSize();
  header.metadata_checksum = Hash64(fbb.GetBufferPointer(), fbb.GetSize());
  header.weights_offset = AlignUp(header.metadata_offset + header.metadata_bytes, 4096);
  header.weights_bytes = table.TotalBytes();
  header.weight_count = table.records().size();
  header.file_bytes = header.weights_offset + header.weights_bytes;
  header.header_checksum = Hash64(&header, offsetof(FileHeader, header_checksum));

  TAMIS_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  Sink sink(&file);
  TAMIS_RETURN_IF_ERROR(sink.Write(&header, sizeof(header)));
  TAMIS_RETURN_IF_ERROR(sink.PadTo(header.metadata_offset));
  TAMIS_RETURN_IF_ERROR(sink.Write(fbb.GetBufferPointer(), fbb.GetSize()));
  for (const WeightRecord& record : table.records()) {
    TAMIS_RETURN_IF_ERROR(sink.PadTo(header.weights_offset + record.offset));
    TAMIS_RETURN_IF_ERROR(sink.Write(record.data(), record.bytes));
  }
  TAMIS_RETURN_IF_ERROR(sink.PadTo(header.file_bytes));
  return file.Commit();
}

Status WritePlanFile(const Engine& engine, const std::string& path) {
  Engine plans;
  plans.plans = engine.plans;
  plans.provenance = engine.provenance;
  plans.provenance.layers.clear();
  plans.provenance.model = {};
  for (const Variant& variant : engine.variants) plans.variants.push_back({variant.precision, Graph()});
  return WriteEngine(plans, path);
}

}  // namespace tamis
