#include "src/base/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace tamis {
namespace {

// Names of open temporary files, where a signal handler can find them.
constexpr size_t kSlots = 16;
constexpr size_t kMaxPath = 4096;
struct Slot {
  std::atomic<int> state{0};  // 0 free, 1 being filled, 2 valid
  char path[kMaxPath] = {};
};
std::array<Slot, kSlots> slots;

int Register(const std::string& path) {
  if (path.size() >= kMaxPath) return -1;
  for (size_t i = 0; i < kSlots; ++i) {
    int expected = 0;
    if (!slots[i].state.compare_exchange_strong(expected, 1)) continue;
    std::memcpy(slots[i].path, path.c_str(), path.size() + 1);
    slots[i].state = 2;
    return static_cast<int>(i);
  }
  return -1;
}

}  // namespace

void RemoveTemporaryFiles() {
  for (Slot& slot : slots) {
    if (slot.state.load() == 2) unlink(slot.path);
  }
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) close(fd_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
  if (slot_ >= 0) slots[static_cast<size_t>(slot_)].state = 0;
}

Status AtomicFile::Fail(const char* what) {
  return RuntimeError("can't {} '{}': {}", what, path_, std::strerror(errno));
}

Status AtomicFile::Open(const std::string& path) {
  path_ = path;
  const std::filesystem::path target(path);
  const std::string name = "." + target.filename().string() + ".tmp-" + std::to_string(getpid());
  temporary_ = (target.parent_path() / name).string();
  slot_ = Register(temporary_);
  fd_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd_ < 0) {
    const Status status = Fail("write");
    temporary_.clear();
    return status;
  }
  return {};
}

Status AtomicFile::Write(const void* data, size_t bytes) {
  const auto* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = write(fd_, next, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Fail("write");
    next += written;
    bytes -= static_cast<size_t>(written);
  }
  return {};
}

Status AtomicFile::Commit() {
  if (fsync(fd_) != 0) return Fail("sync");
  const int closed = close(fd_);
  fd_ = -1;
  if (closed != 0) return Fail("close");
  if (rename(temporary_.c_str(), path_.c_str()) != 0) return Fail("rename to");
  temporary_.clear();
  return {};
}

}  // namespace tamis
