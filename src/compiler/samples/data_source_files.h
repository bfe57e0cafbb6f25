// Named byte sequences: the files under a folder or inside a .zip archive.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tamis/status.h"

namespace tamis {

// Thread-safe after opening.
class FileTree {
 public:
  struct File {
    std::string path;       // relative, '/' between folders
    uint64_t bytes = 0;     // uncompressed
    uint64_t checksum = 0;  // CRC-32 in an archive, 0 in a folder
    uint64_t place = 0;     // index in the archive
  };
  virtual ~FileTree() = default;
  // Sorted by path. Hidden files and folders, and what macOS adds to archives, are left out.
  const std::vector<File>& files() const { return files_; }
  // Error naming the file if it can't be read, is damaged, or is above 256 MiB.
  virtual Result<std::string> Read(const File& file) const = 0;

 protected:
  void Keep(File file);
  void Sort();
  std::vector<File> files_;
};

// `path` is a folder, a .zip, or a .zip followed by the folder in it to take ("a.zip/test").
Result<std::shared_ptr<const FileTree>> OpenFileTree(const std::string& path);

}  // namespace tamis
