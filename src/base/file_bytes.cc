#include "src/base/file_bytes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "src/base/file_descriptor.h"

namespace tamis {
namespace {

Status ReadAll(int fd, const std::string& path, uint8_t* to, uint64_t size) {
  uint64_t done = 0;
  while (done < size) {
    const ssize_t got =
        pread(fd, to + done, std::min<uint64_t>(size - done, uint64_t{1} << 30), static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return RuntimeError("'{}' cannot be read: {}", path, std::strerror(errno));
    if (got == 0) return RuntimeError("'{}' became shorter while it was read", path);
    done += static_cast<uint64_t>(got);
  }
  return {};
}

}  // namespace

Result<FileBytes> OpenFile(const std::string& path, bool map) {
  // Without O_NONBLOCK, opening a pipe would wait for a writer.
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) {
    const int error = errno;
    if (error == ENOENT) return UserError("'{}' does not exist", path);
    return RuntimeError("'{}' cannot be opened: {}", path, std::strerror(error));
  }
  struct stat info {};
  if (fstat(file.get(), &info) != 0) return RuntimeError("'{}' cannot be opened: {}", path, std::strerror(errno));
  if (S_ISDIR(info.st_mode)) return UserError("'{}' is a folder", path);
  if (!S_ISREG(info.st_mode)) return UserError("'{}' is not a regular file", path);
  const auto size = static_cast<uint64_t>(info.st_size);
  if (size == 0) return UserError("'{}' is empty", path);
  void* memory = map ? mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0)
                     : mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return RuntimeError("'{}' cannot be {}: {}", path, map ? "mapped" : "read", std::strerror(errno));
  }
  FileBytes bytes{
      {static_cast<const uint8_t*>(memory), [size](const uint8_t* p) { munmap(const_cast<uint8_t*>(p), size); }},
      size,
      map};
  if (!map) {
    (void)madvise(memory, size, MADV_HUGEPAGE);
    TAMIS_RETURN_IF_ERROR(ReadAll(file.get(), path, static_cast<uint8_t*>(memory), size));
  }
  return bytes;
}

void ForgetPages(const FileBytes& file, uint64_t offset, uint64_t count) {
  if (!file.mapped) return;
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t begin = (offset + page - 1) / page * page, end = (offset + count) / page * page;
  if (begin < end) (void)madvise(const_cast<uint8_t*>(file.data.get()) + begin, end - begin, MADV_DONTNEED);
}

}  // namespace tamis
