#include "src/base/tensor_store.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>

namespace tamis {
namespace {

std::string Folder() {
  const char* const named = std::getenv("TMPDIR");
  return named != nullptr && *named != '\0' ? named : "/var/tmp";
}

size_t PageSize() {
  static const auto size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

// Every mapping of every store and mapped file, by its first byte.
class Mappings {
 public:
  static Mappings& All() {
    static auto* all = new Mappings();  // tensors may outlive static objects
    return *all;
  }
  void Add(const void* begin, size_t bytes) {
    const std::lock_guard lock(mutex_);
    sizes_[static_cast<const std::byte*>(begin)] = bytes;
  }
  void Remove(const void* begin) {
    const std::lock_guard lock(mutex_);
    sizes_.erase(static_cast<const std::byte*>(begin));
  }
  bool Holds(const std::byte* at, size_t bytes) {
    const std::lock_guard lock(mutex_);
    const auto after = sizes_.upper_bound(at);
    if (after == sizes_.begin()) return false;
    const auto& [begin, size] = *std::prev(after);
    return at + bytes <= begin + size;
  }

 private:
  std::mutex mutex_;
  std::map<const std::byte*, size_t> sizes_;
};

int OpenNameless(const std::string& folder) {
  const int fd = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return fd;
  std::string name = folder + "/.tamis-XXXXXX";  // file systems without O_TMPFILE
  const int named = mkostemp(name.data(), O_CLOEXEC);
  if (named >= 0) unlink(name.c_str());
  return named;
}

bool WriteAll(int fd, const std::byte* data, size_t bytes, size_t offset) {
  while (bytes > 0) {
    const ssize_t written = pwrite(fd, data, bytes, static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    data += written;
    bytes -= static_cast<size_t>(written);
    offset += static_cast<size_t>(written);
  }
  return true;
}

}  // namespace

class TensorStore::File {
 public:
  File(int fd, std::string folder) : fd_(fd), folder_(std::move(folder)) {}
  ~File() { close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  static Result<Tensor> Keep(const std::shared_ptr<File>& file, const Tensor& tensor) {
    const size_t bytes = tensor.NumBytes(), room = (bytes + PageSize() - 1) / PageSize() * PageSize();
    const size_t offset = file->Take(room);
    const auto fail = [&](int error) {
      return RuntimeError(
          "{:.1f} MB of samples or activations can't be kept in {}: {}; give --samples fewer of them, or set TMPDIR to "
          "a "
          "folder with more room",
          static_cast<double>(bytes) / 1e6, file->folder_, std::strerror(error));
    };
    // A page of a hole that the disk has no room for would end the process when it is written.
    const int reserved = posix_fallocate(file->fd_, static_cast<off_t>(offset), static_cast<off_t>(room));
    if (reserved != 0) return fail(reserved);
    if (!WriteAll(file->fd_, tensor.raw(), bytes, offset)) return fail(errno);
    void* const at = mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd_, static_cast<off_t>(offset));
    if (at == MAP_FAILED) return fail(errno);
    Mappings::All().Add(at, room);
    const std::shared_ptr<const void> owner(at, [file, room, offset](const void* begin) {
      Mappings::All().Remove(begin);
      munmap(const_cast<void*>(begin), room);
      // What nobody reads again need not reach the disk. A file system that can't do so keeps it until the end.
      static_cast<void>(fallocate(file->fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                                  static_cast<off_t>(room)));
    });
    return Tensor::View(tensor.dtype(), tensor.dims(), at, owner);
  }

 private:
  // Offsets are never used twice: freed ones are holes.
  size_t Take(size_t room) {
    const std::lock_guard lock(mutex_);
    const size_t offset = end_;
    end_ += room;
    return offset;
  }

  const int fd_;
  const std::string folder_;
  std::mutex mutex_;
  size_t end_ = 0;
};

Result<std::shared_ptr<TensorStore>> TensorStore::Make() {
  const std::string folder = Folder();
  const int fd = OpenNameless(folder);
  if (fd < 0) {
    return RuntimeError("no temporary file can be made in {}: {}; set TMPDIR to another folder", folder,
                        std::strerror(errno));
  }
  return std::shared_ptr<TensorStore>(new TensorStore(std::make_shared<File>(fd, folder)));
}

TensorStore::~TensorStore() = default;

Result<Tensor> TensorStore::Keep(const Tensor& tensor) {
  if (!tensor.Defined() || tensor.dtype() == DType::kString || tensor.NumBytes() < kSmall) return tensor;
  if (Mappings::All().Holds(tensor.raw(), tensor.NumBytes())) return tensor;
  return File::Keep(file_, tensor);
}

Result<std::map<std::string, Tensor>> TensorStore::Keep(std::map<std::string, Tensor> tensors) {
  for (auto& [name, tensor] : tensors) {
    TAMIS_ASSIGN_OR_RETURN(tensor, Keep(tensor));
  }
  return tensors;
}

bool TensorStore::Holds(const Tensor& tensor) {
  return tensor.Defined() && tensor.dtype() != DType::kString && Mappings::All().Holds(tensor.raw(), tensor.NumBytes());
}

void TensorStore::Rest(const Tensor& tensor) {
  if (!tensor.Defined() || tensor.dtype() == DType::kString || tensor.NumBytes() < kSmall) return;
  if (!Mappings::All().Holds(tensor.raw(), tensor.NumBytes())) return;
  // Of a shared mapping of a file this drops no element. Pages shared with a neighbour come back when that is read.
  const auto address = reinterpret_cast<uintptr_t>(tensor.raw());
  const uintptr_t begin = address / PageSize() * PageSize();
  const uintptr_t end = (address + tensor.NumBytes() + PageSize() - 1) / PageSize() * PageSize();
  static_cast<void>(madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED));
}

void TensorStore::Rest(const std::map<std::string, Tensor>& tensors) {
  for (const auto& [name, tensor] : tensors) Rest(tensor);
}

size_t TensorStore::FreeBytes() {
  struct statvfs disk {};
  if (statvfs(Folder().c_str(), &disk) != 0) return 0;
  return static_cast<size_t>(disk.f_bavail) * static_cast<size_t>(disk.f_frsize);
}

Result<FileBytes> MapFile(const std::string& path) {
  TAMIS_ASSIGN_OR_RETURN(const FileBytes file, OpenFile(path, /*map=*/true));
  Mappings::All().Add(file.data.get(), file.size);
  const std::shared_ptr<const uint8_t> listed(file.data.get(),
                                              [file](const uint8_t* begin) { Mappings::All().Remove(begin); });
  return FileBytes{listed, file.size};
}

}  // namespace tamis
