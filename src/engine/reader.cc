#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <thread>

#include "src/base/file_bytes.h"
#include "src/base/hash.h"
#include "src/engine/engine.h"
#include "src/engine/format.h"
#include "src/engine/graph_codec.h"
#include "src/engine/record_codec.h"
#include "src/engine/weight_store.h"

namespace tamis {
namespace {

// What a file that is not an engine seems to be, to say what would work.
std::string Guess(const FileBytes& file) {
  const size_t sample = std::min<uint64_t>(file.size, 512);
  const auto* bytes = file.data.get();
  const bool text = std::all_of(bytes, bytes + sample, [](uint8_t c) { return c >= 0x20 || (c >= 9 && c <= 13); });
  if (text) return "it is a text file";
  // An ONNX model is a protobuf message whose first field is ir_version: tag 8, then a small number.
  if (sample > 2 && bytes[0] == 0x08 && bytes[1] < 0x40) {
    return "it looks like an ONNX file; make an engine of it with 'tamis build'";
  }
  return "it does not begin as one";
}

Result<FileHeader> CheckHeader(const FileBytes& file) {
  FileHeader header;
  if (file.size < sizeof(kMagic) || std::memcmp(file.data.get(), kMagic.data(), kMagic.size()) != 0) {
    return UserError("this is not a Tamis engine: {}", Guess(file));
  }
  if (file.size < sizeof(FileHeader))
    return UserError("the engine is truncated: {} bytes of its header. Copy or build it again", file.size);
  std::memcpy(&header, file.data.get(), sizeof(header));
  if (header.format_version == __builtin_bswap32(kFormatVersion)) {
    return UserError(
        "the engine is in another byte order: its integers are big-endian. Build it on a machine like this");
  }
  if (header.format_version != kFormatVersion) {
    return UserError(
        "the engine has format version {}, this program reads version {}; {}", header.format_version, kFormatVersion,
        header.format_version > kFormatVersion ? "use a newer Tamis or build the engine again with this one"
                                               : "build the engine again with this program");
  }
  if (header.header_checksum != Hash64(&header, offsetof(FileHeader, header_checksum))) {
    return UserError("the engine is damaged: the checksum of its header does not match");
  }
  if (file.size < header.file_bytes) {
    return UserError("the engine is truncated: {} of {} bytes. Copy or build it again", file.size, header.file_bytes);
  }
  const bool fits = header.file_bytes == file.size && header.header_bytes >= sizeof(FileHeader) &&
                    header.metadata_offset >= header.header_bytes && header.metadata_bytes >= 8 &&
                    header.metadata_bytes <= kMaxMetadataBytes && header.weights_offset % kWeightAlignment == 0 &&
                    header.weights_offset <= file.size && header.weights_bytes == file.size - header.weights_offset &&
                    header.metadata_offset <= header.weights_offset &&
                    header.metadata_bytes <= header.weights_offset - header.metadata_offset;
  if (!fits) return UserError("the engine is damaged: the sizes in its header contradict each other or the file");
  return header;
}

class Checksums : public WeightCheck {
 public:
  Checksums(std::vector<StoredWeight> weights, FileBytes file, std::string path)
      : weights_(std::move(weights)), file_(std::move(file)), path_(std::move(path)) {}

  Status Verify() override {
    std::call_once(once_, [this] { status_ = Compute(); });
    return status_;
  }
  void Packed(const Tensor& constant) override {
    // Addresses of two objects compare as integers only.
    const auto at = reinterpret_cast<uintptr_t>(constant.raw()), file = reinterpret_cast<uintptr_t>(file_.data.get());
    if (at < file || at - file >= file_.size) return;
    ForgetPages(file_, at - file, std::min<uint64_t>(constant.NumBytes(), file_.size - (at - file)));
  }

 private:
  Status Compute() {
    std::atomic<size_t> next{0};
    std::vector<char> damaged(weights_.size(), 0);
    const auto work = [&] {
      for (size_t i = next.fetch_add(1); i < weights_.size(); i = next.fetch_add(1)) {
        const StoredWeight& weight = weights_[i];
        damaged[i] = Hash64(weight.data, weight.bytes) != weight.checksum;
        // What is 2:4 was decoded to memory of its own; the rest is read again when it is packed, one by one.
        ForgetPages(file_, static_cast<uint64_t>(weight.data - file_.data.get()), weight.bytes);
      }
    };
    {
      const size_t threads = std::min<size_t>({std::thread::hardware_concurrency(), 8, weights_.size()});
      std::vector<std::jthread> helpers;
      for (size_t i = 1; i < threads; ++i) helpers.emplace_back(work);
      work();
    }
    std::string names;
    size_t count = 0;
    for (size_t i = 0; i < weights_.size(); ++i) {
      if (!damaged[i]) continue;
      if (++count <= 8) names += (count > 1 ? ", '" : "'") + weights_[i].name + "'";
    }
    if (count == 0) return {};
    return UserError("'{}' is damaged: the checksum does not match for {} of {} weights: {}{}", path_, count,
                     weights_.size(), names, count > 8 ? ", ..." : "");
  }

  std::vector<StoredWeight> weights_;
  FileBytes file_;
  std::string path_;
  std::once_flag once_;
  Status status_;
};

// An open file: its metadata, verified, in memory that nobody else can change.
struct OpenEngine {
  std::vector<uint64_t> metadata;  // 8-byte aligned
  uint64_t metadata_bytes = 0;
  std::mutex mutex;  // guards weights
  WeightStore weights;

  const fb::Engine& root() const { return *fb::GetEngine(metadata.data()); }
  Result<Graph> Load(const fb::Graph& stored) {
    const std::lock_guard lock(mutex);
    const LoadConstant load = [this](const fb::Constant& constant, const std::string& name, uint64_t* hash) {
      return weights.Constant(constant, name, hash);
    };
    auto graph = DecodeGraph(stored, metadata_bytes, load);
    weights.DecodePending();
    return graph;
  }
};

EngineFacts FactsOf(const FileHeader& header, const WeightStore& store) {
  EngineFacts facts;
  facts.format_version = header.format_version;
  facts.content = header.metadata_checksum;
  facts.file_bytes = header.file_bytes;
  facts.metadata_bytes = header.metadata_bytes;
  for (const StoredWeight& weight : store.weights()) {
    ++facts.weights;
    facts.sparse_weights += weight.two_four ? 1 : 0;
    (weight.two_four ? facts.sparse_bytes : facts.dense_bytes) += weight.bytes;
    facts.unpacked_bytes += weight.DecodedBytes();
  }
  return facts;
}

Result<EngineFile> Read(const std::string& path, const FileBytes& file) {
  TAMIS_ASSIGN_OR_RETURN(const FileHeader header, CheckHeader(file));
  auto open = std::make_shared<OpenEngine>();
  open->metadata_bytes = header.metadata_bytes;
  open->metadata.resize((header.metadata_bytes + 7) / 8);
  std::memcpy(open->metadata.data(), file.data.get() + header.metadata_offset, header.metadata_bytes);
  if (Hash64(open->metadata.data(), header.metadata_bytes) != header.metadata_checksum) {
    return UserError("the engine is damaged: the checksum of its metadata does not match");
  }
  // A table takes eight bytes at least, so honest metadata have no more of them than this.
  flatbuffers::Verifier verifier(reinterpret_cast<const uint8_t*>(open->metadata.data()), header.metadata_bytes, 256,
                                 static_cast<flatbuffers::uoffset_t>(header.metadata_bytes / 8 + 1));
  if (!fb::VerifyEngineBuffer(verifier)) return UserError("the engine is damaged: its metadata are malformed");
  const fb::Engine& root = open->root();
  if (root.fused() == nullptr) return UserError("the engine is damaged: it has no graph");
  const uint64_t listed = root.weights() != nullptr ? root.weights()->size() : 0;
  if (listed != header.weight_count) {
    return UserError("the engine is damaged: its header counts {} weights and its metadata {}", header.weight_count,
                     listed);
  }
  TAMIS_ASSIGN_OR_RETURN(
      open->weights, WeightStore::Open(root, file.data.get() + header.weights_offset, header.weights_bytes, file.data));
  auto engine = std::make_shared<Engine>();
  auto fused = open->Load(*root.fused());
  if (!fused.ok()) return fused.status().WithContext("the fused graph");
  engine->fused = std::move(*fused);
  DecodeBudget budget(header.metadata_bytes);
  if (root.variants() != nullptr) {
    if (root.variants()->size() > kMaxVariants) {
      return UserError("the engine has {} variants, more than {}", root.variants()->size(), kMaxVariants);
    }
    for (const fb::Variant* stored : *root.variants()) {
      Variant& variant = engine->variants.emplace_back();
      TAMIS_RETURN_IF_ERROR(budget.Text(stored->precision(), &variant.precision));
      if (stored->fused() == nullptr)
        return UserError("the engine is damaged: variant '{}' has no graph", variant.precision);
      auto graph = open->Load(*stored->fused());
      if (!graph.ok()) return graph.status().WithContext("the fused graph for " + variant.precision);
      variant.fused = std::move(*graph);
    }
  }
  if (root.plans() != nullptr) {
    for (const fb::Plan* plan : *root.plans()) {
      TAMIS_RETURN_IF_ERROR(DecodePlan(*plan, engine->NumVariants(), &budget, &engine->plans.emplace_back()));
    }
  }
  if (root.provenance() != nullptr) {
    TAMIS_RETURN_IF_ERROR(DecodeProvenance(*root.provenance(), &budget, &engine->provenance));
  }
  EngineFile result;
  result.facts = FactsOf(header, open->weights);
  result.weights = std::make_shared<Checksums>(open->weights.weights(), file, path);
  result.engine = std::move(engine);
  result.LoadSource = [open, path]() -> Result<Graph> {
    if (open->root().source() == nullptr) {
      return UserError("'{}' holds no unfused graph; build it again from its ONNX file", path);
    }
    auto graph = open->Load(*open->root().source());
    if (!graph.ok()) return graph.status().WithContext("'" + path + "': the unfused graph");
    return graph;
  };
  return result;
}

}  // namespace

Result<EngineFile> ReadEngine(const std::string& path, ReadMode mode) {
  TAMIS_ASSIGN_OR_RETURN(const FileBytes file, OpenFile(path, mode == ReadMode::kMap));
  auto result = Read(path, file);
  if (!result.ok()) return result.status().WithContext("'" + path + "'");
  return result;
}

}  // namespace tamis
