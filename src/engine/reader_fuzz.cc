// Fuzz target: an engine file of any bytes. The checksums of header and metadata are made to match, because a fuzzer
// would not find past them.
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "src/base/hash.h"
#include "src/engine/engine.h"
#include "src/engine/format.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using tamis::FileHeader;
  static const std::string path =
      (std::filesystem::temp_directory_path() / ("reader_fuzz." + std::to_string(getpid()) + ".tamis")).string();
  std::string bytes(reinterpret_cast<const char*>(data), size);
  if (size >= sizeof(FileHeader)) {
    FileHeader header;
    std::memcpy(&header, bytes.data(), sizeof(header));
    header.magic = tamis::kMagic;
    header.format_version = tamis::kFormatVersion;
    header.file_bytes = size;
    if (header.metadata_offset <= size && header.metadata_bytes <= size - header.metadata_offset) {
      header.metadata_checksum = tamis::Hash64(bytes.data() + header.metadata_offset, header.metadata_bytes);
    }
    header.header_checksum = tamis::Hash64(&header, offsetof(FileHeader, header_checksum));
    std::memcpy(bytes.data(), &header, sizeof(header));
  }
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  const auto file = tamis::ReadEngine(path, tamis::ReadMode::kRead);
  if (file.ok()) {
    (void)file->weights->Verify().ok();
    (void)file->LoadSource().ok();
  }
  unlink(path.c_str());
  return 0;
}
