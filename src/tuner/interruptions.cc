#include "src/tuner/interruptions.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace tamis {
namespace {

struct SchedStat {
  uint64_t waited = 0;  // nanoseconds
  bool kept = false;    // a kernel that keeps no such times writes zeros
};

SchedStat Read(int file) {
  std::array<char, 64> text{};
  if (pread(file, text.data(), text.size() - 1, 0) <= 0) return {};  // the thread has ended
  char* at = text.data();
  const uint64_t ran = std::strtoull(at, &at, 10), waited = std::strtoull(at, &at, 10);
  const uint64_t slices = std::strtoull(at, &at, 10);
  return {waited, ran > 0 || waited > 0 || slices > 0};
}

}  // namespace

int64_t InvoluntarySwitches() {
  rusage usage{};
  return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_nivcsw : 0;
}

Interruptions::Interruptions() {
  bool kept = false;
  std::error_code error;  // there may be no /proc
  for (std::filesystem::directory_iterator task("/proc/self/task", error), end; !error && task != end;
       task.increment(error)) {
    const int file = open((task->path() / "schedstat").c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) continue;
    files_.push_back(file);
    kept = kept || Read(file).kept;
  }
  if (!kept) {
    for (const int file : files_) close(file);
    files_.clear();
  }
  waited_.resize(files_.size());
  Begin();
}

Interruptions::~Interruptions() {
  for (const int file : files_) close(file);
}

void Interruptions::Begin() {
  for (size_t i = 0; i < files_.size(); ++i) waited_[i] = Read(files_[i]).waited;
  switches_ = InvoluntarySwitches();
}

bool Interruptions::Disturbed(double seconds) const {
  if (InvoluntarySwitches() == switches_) return false;
  if (!KernelTells()) return true;
  const double allowed = kShare * seconds * 1e9;
  for (size_t i = 0; i < files_.size(); ++i) {
    const uint64_t waited = Read(files_[i]).waited;
    if (waited > waited_[i] && static_cast<double>(waited - waited_[i]) > allowed) return true;
  }
  return false;
}

}  // namespace tamis
