// A file that appears whole or not at all.
#pragma once

#include <cstddef>
#include <string>

#include "tamis/status.h"

namespace tamis {

// Writes to ".NAME.tmp-PID" beside the target; Commit syncs and renames it, the destructor unlinks what was not
// committed. Errors are of kind kRuntime and name the target and the reason (disk full, no permission).
class AtomicFile {
 public:
  AtomicFile() = default;
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  Status Open(const std::string& path);
  Status Write(const void* data, size_t bytes);
  Status Commit();

 private:
  Status Fail(const char* what);
  int fd_ = -1;
  int slot_ = -1;
  std::string path_, temporary_;
};

// Unlinks every temporary file that is open now. Async-signal-safe: for handlers of SIGINT and SIGTERM.
void RemoveTemporaryFiles();

}  // namespace tamis
