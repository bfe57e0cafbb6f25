#include "src/onnx/external_data.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "src/base/large_tensor.h"
#include "src/onnx/problems.h"

namespace tamis {
namespace {

namespace fs = std::filesystem;

// Tied weights may share a range. More than this many times the file's size is an attempt to fill the memory.
constexpr int64_t kMaxReadsOfFile = 4;

Status ParseCount(const std::string& key, const std::string& text, int64_t* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  if (error != std::errc() || end != text.data() + text.size() || *value < 0) {
    return UserError("external_data '{}' is {}; a non-negative integer was expected", key, Quote(text));
  }
  return {};
}

Status ReadAt(int fd, std::byte* out, size_t bytes, int64_t offset) {
  while (bytes > 0) {
    const ssize_t got = ::pread(fd, out, bytes, offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return RuntimeError("external data: {}", std::strerror(errno));
    if (got == 0) return UserError("the external data file became shorter while it was read");
    out += got;
    offset += got;
    bytes -= static_cast<size_t>(got);
  }
  return {};
}

}  // namespace

Status ExternalData::Resolve(const std::string& location, std::string* path) const {
  if (folder_.empty()) {
    return UserError("external data file {}: the model was given without a folder to look in", Quote(location));
  }
  const fs::path relative(location);
  const bool climbs = std::any_of(relative.begin(), relative.end(), [](const fs::path& part) { return part == ".."; });
  if (location.empty() || relative.is_absolute() || climbs || location.find('\0') != std::string::npos) {
    return UserError("external data file {}: the location must be a path inside the model's folder", Quote(location));
  }
  std::error_code error;
  const fs::path root = fs::canonical(folder_, error);
  if (error) return UserError("the model's folder {}: {}", Quote(folder_), error.message());
  const fs::path target = fs::canonical(root / relative, error);
  if (error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory) {
    return UserError("external data file {} does not exist in {}. Copy it beside the model", Quote(location),
                     Quote(root.string()));
  }
  if (error) return UserError("external data file {}: {}", Quote(location), error.message());
  if (std::mismatch(root.begin(), root.end(), target.begin(), target.end()).first != root.end()) {
    return UserError("external data file {} is a symbolic link that leads outside the model's folder {}. Copy the file",
                     Quote(location), Quote(root.string()));
  }
  *path = target.string();
  return {};
}

ExternalData::File& ExternalData::Open(const std::string& location) {
  const auto [entry, added] = files_.try_emplace(location);
  File& file = entry->second;
  if (!added) return file;
  file.status = Resolve(location, &file.path);
  if (!file.status.ok()) return file;
  // The resolved path holds no link; O_NOFOLLOW keeps it so. O_NONBLOCK: opening a pipe must not wait for a writer.
  file.descriptor = FileDescriptor(::open(file.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  struct stat info {};
  if (!file.descriptor.valid() || ::fstat(file.descriptor.get(), &info) != 0) {
    file.status = UserError("external data file {}: {}", Quote(location), std::strerror(errno));
  } else if (!S_ISREG(info.st_mode)) {
    file.status = UserError("external data file {} is not a regular file", Quote(location));
  }
  file.bytes = info.st_size;
  if (__builtin_mul_overflow(file.bytes, kMaxReadsOfFile, &file.left)) file.left = file.bytes;
  return file;
}

std::vector<std::string> ExternalData::Paths() const {
  std::vector<std::string> paths;
  for (const auto& [location, file] : files_) {
    if (file.status.ok()) paths.push_back(file.path);
  }
  return paths;
}

Result<Tensor> ExternalData::Read(const onnx::TensorProto& proto, DType dtype, const Dims& dims, bool* file_error) {
  *file_error = false;
  std::string location;
  int64_t offset = 0;
  int64_t length = -1;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") TAMIS_RETURN_IF_ERROR(ParseCount("offset", entry.value(), &offset));
    if (entry.key() == "length") TAMIS_RETURN_IF_ERROR(ParseCount("length", entry.value(), &length));
  }
  File& file = Open(location);
  if (!file.status.ok()) {
    *file_error = true;
    return file.status;
  }
  const auto needed = static_cast<int64_t>(ByteSize(dtype, static_cast<size_t>(NumElements(dims))));
  if (length >= 0 && length != needed) {
    return UserError("external_data 'length' is {}, but {}{} takes {} bytes", length, Name(dtype), ToString(dims),
                     needed);
  }
  if (offset > file.bytes || needed > file.bytes - offset) {
    return UserError("needs {} bytes at offset {} of external data file {}, which has only {} bytes", needed, offset,
                     Quote(location), file.bytes);
  }
  if (needed > file.left) {
    return UserError("external data file {} is read more than {} times over; its tensors overlap", Quote(location),
                     kMaxReadsOfFile);
  }
  file.left -= needed;
  Tensor tensor = LargeTensor(dtype, dims);
  TAMIS_RETURN_IF_ERROR(ReadAt(file.descriptor.get(), tensor.raw(), static_cast<size_t>(needed), offset));
  return tensor;
}

}  // namespace tamis
