#include "src/onnx/model_parser.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <optional>
#include <utility>

#include "src/onnx/problems.h"

namespace tamis {
namespace {

constexpr std::string_view kTooLarge =
    "protobuf holds at most 2 GiB. Save the model with its weights outside: onnx.save_model(model, path, "
    "save_as_external_data=True)";

constexpr int kMaxNesting = 100;  // protobuf's own limit

struct Signature {
  size_t offset;
  std::string_view bytes;
  std::string_view what;
};

constexpr std::array<Signature, 8> kSignatures = {{
    {0, "version https://git-lfs", "a Git LFS pointer, not the model itself; fetch it with 'git lfs pull'"},
    {0, std::string_view("PK\x03\x04", 4),
     "a zip archive (PyTorch .pt and .npz files are); export the network to ONNX"},
    {0, "\x89HDF", "an HDF5 file (Keras); convert it with tf2onnx"},
    {4, "TFL3", "a TensorFlow Lite file; convert it with tf2onnx"},
    {0, std::string_view("\x1f\x8b", 2), "gzip-compressed; decompress it first"},
    {0, "\x93NUMPY", "a NumPy array"},
    {0, std::string_view("\x80\x02", 2), "a Python pickle; export the network to ONNX"},
    {0, "ir_version:", "a model in protobuf's text format; convert it to binary with onnx.save"},
}};

// What the bytes are if they are not ONNX; empty if nothing is recognised.
std::string LooksLike(std::string_view bytes) {
  for (const Signature& signature : kSignatures) {
    if (bytes.size() >= signature.offset && bytes.substr(signature.offset).starts_with(signature.bytes)) {
      return std::string(signature.what);
    }
  }
  const std::string_view head = bytes.substr(0, 512);
  const bool text = std::all_of(head.begin(), head.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\r' || c == '\t';
  });
  if (!text) return {};
  return "a text file, starting with " + Quote(head.substr(0, std::min<size_t>(40, head.find('\n'))));
}

std::optional<uint64_t> ReadVarint(std::string_view bytes, size_t* position) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64 && *position < bytes.size(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes[(*position)++]);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

// If a top-level field of the model runs past the end, the size the file would need; nullopt if none does.
std::optional<uint64_t> NeededSize(std::string_view bytes) {
  constexpr uint64_t kMaxField = 26;  // of ModelProto; a larger number means that this is no model
  size_t position = 0;
  while (position < bytes.size()) {
    const auto tag = ReadVarint(bytes, &position);
    if (!tag || (*tag >> 3) == 0 || (*tag >> 3) > kMaxField) return std::nullopt;
    if ((*tag & 7) == 0) {
      if (!ReadVarint(bytes, &position)) return std::nullopt;
    } else if ((*tag & 7) == 2) {
      const auto length = ReadVarint(bytes, &position);
      if (!length || *length > INT_MAX) return std::nullopt;
      if (*length > bytes.size() - position) return position + *length;
      position += *length;
    } else {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

// The messages of a model that may hold each other without end.
enum class Part { kModel, kGraph, kFunction, kNode, kAttribute, kType, kContainer };

std::optional<Part> PartOf(Part outer, uint64_t field) {
  switch (outer) {
    case Part::kModel:
      return field == 7 ? std::optional(Part::kGraph) : field == 25 ? std::optional(Part::kFunction) : std::nullopt;
    case Part::kGraph:
      return field == 1 ? std::optional(Part::kNode) : std::nullopt;
    case Part::kFunction:
      return field == 7 ? std::optional(Part::kNode) : std::nullopt;
    case Part::kNode:
      return field == 5 ? std::optional(Part::kAttribute) : std::nullopt;
    case Part::kAttribute:
      if (field == 6 || field == 11) return Part::kGraph;
      return field == 14 || field == 15 ? std::optional(Part::kType) : std::nullopt;
    case Part::kType:  // a sequence, map or optional
      return field == 4 || field == 5 || field == 9 ? std::optional(Part::kContainer) : std::nullopt;
    case Part::kContainer:
      return field == 1 || field == 2 ? std::optional(Part::kType) : std::nullopt;
  }
  return std::nullopt;
}

// Whether messages nest deeper than protobuf reads them, in bytes that do not parse. Looks no deeper than that.
bool NestsTooDeep(std::string_view bytes, Part part, int depth) {
  if (depth > kMaxNesting) return true;
  size_t position = 0;
  while (position < bytes.size()) {
    const auto tag = ReadVarint(bytes, &position);
    if (!tag) return false;
    const uint64_t wire = *tag & 7;
    if (wire == 0) {
      if (!ReadVarint(bytes, &position)) return false;
      continue;
    }
    std::optional<uint64_t> length;
    if (wire == 1) length = 8;
    if (wire == 2) length = ReadVarint(bytes, &position);
    if (wire == 5) length = 4;
    if (!length || *length > bytes.size() - position) return false;
    const auto inner = wire == 2 ? PartOf(part, *tag >> 3) : std::nullopt;
    if (inner && NestsTooDeep(bytes.substr(position, *length), *inner, depth + 1)) return true;
    position += *length;
  }
  return false;
}

Status NotAModel(std::string_view bytes, std::string_view detail) {
  if (bytes.empty()) return UserError("the file is empty (0 bytes); an ONNX model was expected");
  const std::string found = LooksLike(bytes);
  if (!found.empty()) return UserError("not an ONNX model: the file ({} bytes) is {}", bytes.size(), found);
  if (const auto needed = NeededSize(bytes)) {
    return UserError(
        "the model is truncated: the file has {} bytes, its contents need at least {}. Copy or download "
        "it again",
        bytes.size(), *needed);
  }
  if (NestsTooDeep(bytes, Part::kModel, 0)) {
    return UserError(
        "graphs inside graphs (bodies of If, Loop and Scan) or types inside types nest too deeply: {} messages of the "
        "file may hold each other, which are about {} bodies",
        kMaxNesting, kMaxNesting / 3);
  }
  return UserError("not an ONNX model, or a damaged one: {} ({} bytes)", detail, bytes.size());
}

}  // namespace

Result<ModelFile> OpenModelFile(const std::string& path) {
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) return UserError("cannot be opened: {}", std::strerror(errno));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return RuntimeError("{}", std::strerror(errno));
  if (!S_ISREG(info.st_mode)) return UserError("not a file; an ONNX model was expected");
  if (info.st_size > INT_MAX) return UserError("{} bytes, but {}", info.st_size, kTooLarge);
  return ModelFile{std::move(file), static_cast<size_t>(info.st_size)};
}

Result<std::string> ReadModelFile(const std::string& path) {
  TAMIS_ASSIGN_OR_RETURN(const ModelFile file, OpenModelFile(path));
  std::string bytes(file.bytes, '\0');
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::read(file.descriptor.get(), bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return RuntimeError("{}", std::strerror(errno));
    if (got == 0) break;  // the file shrank meanwhile; the parser will see what is left
    done += static_cast<size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

google::protobuf::ArenaOptions ModelArenaOptions() {
  google::protobuf::ArenaOptions options;
  options.start_block_size = size_t{64} << 10;
  options.max_block_size = size_t{1} << 20;
  return options;
}

Result<onnx::ModelProto*> ParseModel(std::string_view bytes, google::protobuf::Arena* arena) {
  if (bytes.size() > INT_MAX) return UserError("{} bytes, but {}", bytes.size(), kTooLarge);
  auto* model = google::protobuf::Arena::CreateMessage<onnx::ModelProto>(arena);
  // An empty message and some texts parse as a model without a graph.
  if (!model->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return NotAModel(bytes, "the bytes do not parse as protobuf");
  }
  if (!model->has_graph()) return NotAModel(bytes, "it holds no graph");
  return model;
}

}  // namespace tamis
