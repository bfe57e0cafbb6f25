// A POSIX shared memory object of a client, for the tests.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "src/base/file_descriptor.h"

namespace tamis::testing {

class SharedObject {
 public:
  // Its key begins with "/tamis_test_" and is this process's own.
  SharedObject(std::string_view name, size_t size)
      : key_(fmt::format("/tamis_test_{}_{}", getpid(), name)),
        file_(shm_open(key_.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600)) {
    Resize(size);
  }
  ~SharedObject() { shm_unlink(key_.c_str()); }

  const std::string& key() const { return key_; }
  bool valid() const { return file_.valid(); }
  void Resize(size_t size) { (void)!ftruncate(file_.get(), static_cast<off_t>(size)); }
  void Put(std::string_view bytes, off_t at) { (void)!pwrite(file_.get(), bytes.data(), bytes.size(), at); }
  std::string Get(size_t bytes, off_t at) const {
    std::string read(bytes, '\0');
    const ssize_t got = pread(file_.get(), read.data(), bytes, at);
    read.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return read;
  }

 private:
  std::string key_;
  FileDescriptor file_;
};

}  // namespace tamis::testing
