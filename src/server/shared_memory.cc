#include "src/server/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <mutex>

#include "src/base/request_problems.h"
#include "src/server/protocol/tensor_bytes.h"
#include "src/server/protocol/tensor_check.h"
#include "src/server/transport/body_memory.h"

namespace tamis {
namespace {

std::string WithoutSlash(const std::string& key) {
  return !key.empty() && key.front() == '/' ? key.substr(1) : key;
}

// Of an object, as POSIX has them, but for the leading slash. What could lead out of the folder of objects is none.
bool IsObjectName(const std::string& name) {
  return !name.empty() && name.size() <= NAME_MAX && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos && name != "." && name != "..";
}

Result<FileDescriptor> OpenObject(const SharedRegion& region) {
  const std::string path = "/" + WithoutSlash(region.key);
  // Should it be a pipe, which is refused below, opening it does not wait.
  FileDescriptor file(shm_open(path.c_str(), O_RDWR | O_NONBLOCK, 0));
  const std::string key = Short(region.key);
  if (!file.valid()) return UserError("shared memory with key '{}' can't be opened: {}", key, std::strerror(errno));
  struct stat info {};
  if (fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return UserError("what has the key '{}' is not shared memory", key);
  }
  const auto size = static_cast<uint64_t>(info.st_size);
  if (region.offset > size || region.byte_size > size - region.offset) {
    return UserError("shared memory with key '{}' has {} bytes, not {} from byte {} on", key, size, region.byte_size,
                     region.offset);
  }
  return file;
}

Result<SharedPlace> PlaceIn(std::shared_ptr<const SharedPlace::Open> open, uint64_t offset, uint64_t byte_size) {
  const uint64_t size = open->region.byte_size;
  if (offset > size || byte_size > size - offset) {
    return UserError("shared memory region '{}' has {} bytes, not {} from byte {} on", open->region.name, size,
                     byte_size, offset);
  }
  return SharedPlace(std::move(open), offset, byte_size);
}

}  // namespace

Result<Tensor> SharedPlace::Read(DType dtype, const Dims& dims) const {
  if (dtype != DType::kString) {  // before memory is taken
    TAMIS_RETURN_IF_ERROR(CheckByteCount(byte_size_, dtype, dims));
  }
  const auto memory = std::make_shared<BodyMemory>(byte_size_);
  char* bytes = memory->PlaceFor(byte_size_, 0);
  for (uint64_t done = 0; done < byte_size_;) {
    const auto from = static_cast<off_t>(open_->region.offset + offset_ + done);
    const ssize_t got = pread(open_->file.get(), bytes + done, byte_size_ - done, from);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return RuntimeError("shared memory region '{}' can't be read: {}", region(), std::strerror(errno));
    if (got == 0) return UserError("the object of shared memory region '{}' was made smaller", region());
    done += static_cast<uint64_t>(got);
  }
  return TensorFromBytes({bytes, byte_size_}, dtype, dims, memory);
}

Status SharedPlace::Write(const Tensor& tensor) const {
  const size_t size = BytesOf(tensor);
  if (size > byte_size_) {
    return UserError("it takes {} bytes, but its place in shared memory region '{}' has {}", size, region(),
                     byte_size_);
  }
  std::string strings;
  if (tensor.dtype() == DType::kString) AppendBytes(tensor, &strings);
  const char* bytes = tensor.dtype() == DType::kString ? strings.data() : reinterpret_cast<const char*>(tensor.raw());
  for (size_t done = 0; done < size;) {
    const auto to = static_cast<off_t>(open_->region.offset + offset_ + done);
    const ssize_t put = pwrite(open_->file.get(), bytes + done, size - done, to);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return RuntimeError("shared memory region '{}' can't be written: {}", region(), std::strerror(errno));
    done += static_cast<size_t>(put);
  }
  return {};
}

SharedMemory::SharedMemory(const std::string& prefix, size_t max_bytes)
    : prefix_(WithoutSlash(prefix)), max_bytes_(max_bytes) {}

Status SharedMemory::Register(const SharedRegion& region) {
  const std::string object = WithoutSlash(region.key);
  RequestProblems problems;
  problems.Need(!region.name.empty() && region.name.size() <= NAME_MAX,
                "a shared memory region's name has 1 to {} bytes", NAME_MAX);
  problems.Need(IsObjectName(object), "'{}' is not the key of shared memory: one is a slash and a name without slashes",
                Short(region.key));
  problems.Need(object.compare(0, prefix_.size(), prefix_) == 0,
                "the key '{}' does not begin with '{}', as those do that this server lets clients register",
                Short(region.key), prefix_);
  problems.Need(region.byte_size > 0, "the region's byte_size is 0");
  TAMIS_RETURN_IF_ERROR(problems.status());
  const std::unique_lock lock(mutex_);
  if (regions_.count(region.name) > 0) {
    return UserError("shared memory region '{}' is registered already; unregister it first", region.name);
  }
  if (regions_.size() >= kMaxRegions) return UserError("{} regions are registered, as many as may be", kMaxRegions);
  TAMIS_ASSIGN_OR_RETURN(FileDescriptor file, OpenObject(region));
  regions_[region.name] = std::make_shared<const SharedPlace::Open>(SharedPlace::Open{std::move(file), region});
  return {};
}

void SharedMemory::Unregister(const std::string& name) {
  const std::unique_lock lock(mutex_);
  regions_.erase(name);
}

void SharedMemory::UnregisterAll() {
  const std::unique_lock lock(mutex_);
  regions_.clear();
}

std::vector<SharedRegion> SharedMemory::Regions(const std::string& name) const {
  const std::shared_lock lock(mutex_);
  std::vector<SharedRegion> regions;
  for (const auto& [known, open] : regions_) {
    if (name.empty() || known == name) regions.push_back(open->region);
  }
  return regions;
}

Result<SharedPlace> SharedMemory::OutputPlace(const std::string& region, uint64_t offset, uint64_t byte_size) const {
  const std::shared_lock lock(mutex_);
  const auto found = regions_.find(region);
  if (found == regions_.end()) return UserError("no shared memory region '{}' is registered", Short(region));
  return PlaceIn(found->second, offset, byte_size);
}

Result<SharedPlace> SharedMemory::InputPlace(const std::string& region, uint64_t offset, uint64_t byte_size) const {
  if (byte_size > max_bytes_) {
    return UserError("shared_memory_byte_size is {}, and this server takes tensors of {} at most", byte_size,
                     max_bytes_);
  }
  return OutputPlace(region, offset, byte_size);
}

}  // namespace tamis
