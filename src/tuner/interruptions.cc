#include "src/tuner/interruptions.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace tamis {

int64_t InvoluntarySwitches() {
  rusage usage{};
  return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_nivcsw : 0;
}

Interruptions::Interruptions() {
  std::error_code none;  // without /proc there are no files
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", none)) {
    const int file = open((task.path() / "schedstat").c_str(), O_RDONLY | O_CLOEXEC);
    if (file >= 0) files_.push_back(file);
  }
  Begin();
}

Interruptions::~Interruptions() {
  for (const int file : files_) close(file);
}

double Interruptions::Waited() const {
  double nanoseconds = 0;
  for (const int file : files_) {
    std::array<char, 64> text{};
    if (pread(file, text.data(), text.size() - 1, 0) <= 0) continue;  // the thread has ended
    char* second = nullptr;
    std::strtoull(text.data(), &second, 10);
    nanoseconds += static_cast<double>(std::strtoull(second, nullptr, 10));
  }
  return nanoseconds * 1e-9;
}

void Interruptions::Begin() {
  waited_ = Waited();
  switches_ = InvoluntarySwitches();
}

bool Interruptions::Disturbed(double seconds) const {
  if (InvoluntarySwitches() == switches_) return false;
  return files_.empty() || Waited() - waited_ > kShare * seconds;
}

}  // namespace tamis
