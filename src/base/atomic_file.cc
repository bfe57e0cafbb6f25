#include "src/base/atomic_file.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace tamis {
namespace {

// Temporary names where a signal handler can read them: fixed memory, a state of one atomic word each.
enum SlotState : int { kFree, kFilling, kLive };
struct Slot {
  std::atomic<int> state{kFree};
  std::array<char, PATH_MAX> path{};
};
std::array<Slot, 32> slots;
static_assert(std::atomic<int>::is_always_lock_free);

int Register(const std::string& path) {
  for (size_t i = 0; i < slots.size(); ++i) {
    int expected = kFree;
    if (!slots[i].state.compare_exchange_strong(expected, kFilling)) continue;
    std::memcpy(slots[i].path.data(), path.c_str(), path.size() + 1);
    slots[i].state.store(kLive);
    return static_cast<int>(i);
  }
  return -1;
}

void Unregister(int slot) {
  if (slot >= 0) slots[static_cast<size_t>(slot)].state.store(kFree);
}

// The absolute path that `path` means, links followed; empty and errno set if its folder does not exist.
std::string Resolve(const std::string& path) {
  char* resolved = realpath(path.c_str(), nullptr);
  if (resolved != nullptr) {
    std::string result = resolved;
    std::free(resolved);
    return result;
  }
  if (errno != ENOENT) return {};
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (name.empty()) {
    errno = EISDIR;
    return {};
  }
  resolved = realpath(folder.c_str(), nullptr);
  if (resolved == nullptr) return {};
  std::string result = resolved;
  std::free(resolved);
  return (result == "/" ? result : result + "/") + name;
}

}  // namespace

void RemoveTemporaryFiles() {
  const int saved = errno;
  for (Slot& slot : slots) {
    if (slot.state.load() == kLive) unlink(slot.path.data());
  }
  errno = saved;
}

Result<AtomicFile> AtomicFile::Create(const std::string& path) {
  AtomicFile file;
  file.path_ = path;
  file.target_ = Resolve(path);
  if (file.target_.empty()) return file.Fail("cannot be created");
  mode_t mode = 0;
  struct stat info {};
  if (stat(file.target_.c_str(), &info) == 0) {
    if (!S_ISREG(info.st_mode)) {
      return RuntimeError("'{}' cannot be written: it exists and is not a regular file", path);
    }
    mode = info.st_mode & 07777;
  }
  const size_t slash = file.target_.rfind('/');
  const std::string stem =
      file.target_.substr(0, slash + 1) + "." + file.target_.substr(slash + 1) + ".tmp-" + std::to_string(getpid());
  for (int attempt = 0; attempt < 100; ++attempt) {
    std::string temporary = attempt == 0 ? stem : stem + "-" + std::to_string(attempt);
    if (temporary.size() >= PATH_MAX) {
      errno = ENAMETOOLONG;
      break;
    }
    // Listed first, so that a signal between the two calls leaves nothing behind.
    const int slot = Register(temporary);
    file.fd_ = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file.fd_ >= 0) {
      file.slot_ = slot;
      file.temporary_ = std::move(temporary);
      if (mode != 0) (void)fchmod(file.fd_, mode);
      return file;
    }
    const int error = errno;
    Unregister(slot);
    errno = error;
    if (error != EEXIST) break;
  }
  return file.Fail("cannot be created");
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept {
  *this = std::move(other);
}

AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
  if (this == &other) return *this;
  Discard();
  path_ = std::move(other.path_);
  target_ = std::move(other.target_);
  temporary_ = std::exchange(other.temporary_, {});
  fd_ = std::exchange(other.fd_, -1);
  slot_ = std::exchange(other.slot_, -1);
  return *this;
}

AtomicFile::~AtomicFile() {
  Discard();
}

void AtomicFile::Discard() {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
  if (!temporary_.empty()) unlink(temporary_.c_str());
  temporary_.clear();
  Unregister(std::exchange(slot_, -1));
}

Status AtomicFile::Fail(const char* what) {
  const int error = errno;
  Discard();
  return RuntimeError("'{}' {}: {}", path_, what, std::strerror(error));
}

Status AtomicFile::Write(const void* data, size_t bytes) {
  if (fd_ < 0) return InternalError("'{}' is written after it was closed", path_);
  const char* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = write(fd_, at, std::min<size_t>(bytes, size_t{1} << 30));
    if (written < 0) {
      if (errno == EINTR) continue;
      return Fail("cannot be written");
    }
    at += written;
    bytes -= static_cast<size_t>(written);
  }
  return {};
}

Status AtomicFile::WriteWhole(const std::string& path, std::string_view text) {
  TAMIS_ASSIGN_OR_RETURN(AtomicFile file, Create(path));
  TAMIS_RETURN_IF_ERROR(file.Write(text));
  return file.Commit();
}

Status AtomicFile::Commit() {
  if (fd_ < 0) return InternalError("'{}' is committed twice or after an error", path_);
  if (fsync(fd_) != 0) return Fail("cannot be synced");
  // Some file systems report a full disk only here.
  if (close(std::exchange(fd_, -1)) != 0) return Fail("cannot be closed");
  if (rename(temporary_.c_str(), target_.c_str()) != 0) return Fail("cannot be renamed into place");
  temporary_.clear();
  Unregister(std::exchange(slot_, -1));
  // Makes the rename last through a power cut. The file is in place already, so a failure here is not one.
  const std::string folder = target_.substr(0, std::max<size_t>(target_.rfind('/'), 1));
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    (void)fsync(fd);
    close(fd);
  }
  return {};
}

}  // namespace tamis
