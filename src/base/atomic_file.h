// A file that appears under its name complete or not at all.
//
// Data go to `.NAME.tmp-PID` beside the target; Commit syncs it and renames it over the target. Without a Commit the
// destructor unlinks it. Live temporary names are kept in a list that RemoveTemporaryFiles, which a signal handler may
// call, unlinks. Errors (disk full, no permission) are kRuntime and name the path and the reason. One AtomicFile is
// not synchronised; several threads may each have one.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "tamis/status.h"

namespace tamis {

class AtomicFile {
 public:
  // Follows a symbolic link at `path`. A target that exists must be a regular file, and gives its permissions.
  static Result<AtomicFile> Create(const std::string& path);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&& other) noexcept;
  ~AtomicFile();

  Status Write(const void* data, size_t bytes);
  Status Write(std::string_view text) { return Write(text.data(), text.size()); }
  // After it, nothing more may be written. On failure the target is as it was.
  Status Commit();
  // Create's error, if it has one, before long work whose result it would lose. Nothing stays.
  static Status CheckTarget(const std::string& path) { return Create(path).status(); }
  // Create, Write and Commit of a text.
  static Status WriteWhole(const std::string& path, std::string_view text);
  // The name data go to until Commit.
  const std::string& temporary_path() const { return temporary_; }

 private:
  AtomicFile() = default;
  void Discard();
  Status Fail(const char* what);

  std::string path_;       // as the caller gave it, for messages
  std::string target_;     // absolute
  std::string temporary_;  // absolute; empty once committed or discarded
  int fd_ = -1;
  int slot_ = -1;  // in the list of live temporary names
};

// Unlinks the temporary file of every live AtomicFile of this process. Safe to call from a signal handler.
void RemoveTemporaryFiles();

}  // namespace tamis
