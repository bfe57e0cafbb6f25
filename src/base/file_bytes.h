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
};

// A regular file that is not empty. `map`: pages are read as they are touched; otherwise all bytes are copied now.
Result<FileBytes> OpenFile(const std::string& path, bool map);

}  // namespace tamis
