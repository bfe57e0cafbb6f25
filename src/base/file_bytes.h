// The bytes of a file, mapped or read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "tamis/status.h"

namespace tamis {

struct FileBytes {
  std::shared_ptr<const uint8_t> data;  // page-aligned
  uint64_t size = 0;
  bool mapped = false;
};

// A regular file that is not empty. `map`: pages are read as they are touched; otherwise all bytes are copied now.
Result<FileBytes> OpenFile(const std::string& path, bool map);

// Whole pages among `count` bytes from `offset` on leave the process's memory until somebody reads them again. Nothing
// happens to a file that was read.
void ForgetPages(const FileBytes& file, uint64_t offset, uint64_t count);

}  // namespace tamis
