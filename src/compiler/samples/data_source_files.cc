#include "src/compiler/samples/data_source_files.h"

#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>

namespace tamis {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{256} << 20;
constexpr size_t kMaxFiles = 4'000'000;

bool IsHidden(const std::string& path) {
  return path.rfind('.', 0) == 0 || path.find("/.") != std::string::npos || path.rfind("__MACOSX/", 0) == 0;
}

class Folder final : public FileTree {
 public:
  static Result<std::shared_ptr<const FileTree>> Open(const std::string& path) {
    auto tree = std::make_shared<Folder>();
    tree->root_ = path;
    std::error_code error;
    std::filesystem::recursive_directory_iterator it(path, error), end;
    for (; !error && it != end && tree->files_.size() < kMaxFiles; it.increment(error)) {
      std::error_code ignored;
      if (!it->is_regular_file(ignored)) continue;
      tree->Keep({it->path().lexically_relative(path).generic_string(), it->file_size(ignored), 0, 0});
    }
    if (error) return UserError("can't list '{}': {}", path, error.message());
    tree->Sort();
    return std::shared_ptr<const FileTree>(std::move(tree));
  }

  Result<std::string> Read(const File& file) const override {
    if (file.bytes > kMaxFileBytes) return UserError("{}: {} bytes are too many for an image", file.path, file.bytes);
    std::ifstream stream(root_ + "/" + file.path, std::ios::binary);
    std::string content(file.bytes, '\0');
    if (!stream.read(content.data(), static_cast<std::streamsize>(content.size()))) {
      return UserError("{}: can't be read: {}", file.path, std::strerror(errno));
    }
    return content;
  }

 private:
  std::string root_;
};

struct CloseZip {
  void operator()(zip_t* zip) const { zip_discard(zip); }
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

class Archive final : public FileTree {
 public:
  static Result<std::shared_ptr<const FileTree>> Open(const std::string& path, const std::string& folder) {
    auto tree = std::make_shared<Archive>();
    int code = 0;
    tree->zip_.reset(zip_open(path.c_str(), ZIP_RDONLY, &code));
    if (!tree->zip_) {
      zip_error_t error;
      zip_error_init_with_code(&error, code);
      const std::string why = zip_error_strerror(&error);
      zip_error_fini(&error);
      return UserError("'{}' is not a folder of samples and can't be opened as a .zip: {}", path, why);
    }
    const std::string prefix = folder.empty() ? "" : folder + "/";
    const zip_int64_t entries = zip_get_num_entries(tree->zip_.get(), 0);
    for (zip_uint64_t i = 0; i < static_cast<zip_uint64_t>(std::max<zip_int64_t>(0, entries)); ++i) {
      zip_stat_t stat;
      if (zip_stat_index(tree->zip_.get(), i, 0, &stat) != 0) continue;
      if ((stat.valid & ZIP_STAT_NAME) == 0 || (stat.valid & ZIP_STAT_SIZE) == 0) continue;
      const std::string name = stat.name;
      if (name.empty() || name.back() == '/' || name.rfind(prefix, 0) != 0) continue;
      tree->Keep({name.substr(prefix.size()), stat.size, stat.crc, i});
    }
    tree->Sort();
    return std::shared_ptr<const FileTree>(std::move(tree));
  }

  Result<std::string> Read(const File& file) const override {
    if (file.bytes > kMaxFileBytes) return UserError("{}: {} bytes are too many for an image", file.path, file.bytes);
    const std::lock_guard lock(mutex_);  // libzip archives are not thread-safe
    const std::unique_ptr<zip_file_t, CloseZip> stream(zip_fopen_index(zip_.get(), file.place, 0));
    if (!stream) return UserError("{}: can't be read: {}", file.path, zip_strerror(zip_.get()));
    std::string content(file.bytes, '\0');
    // One byte more than announced: reading to the end is what checks the CRC.
    char beyond = 0;
    const zip_int64_t read = zip_fread(stream.get(), content.data(), content.size());
    if (read != static_cast<zip_int64_t>(content.size()) || zip_fread(stream.get(), &beyond, 1) != 0) {
      return UserError("{}: the archive is damaged here: {}", file.path, zip_file_strerror(stream.get()));
    }
    return content;
  }

 private:
  std::unique_ptr<zip_t, CloseZip> zip_;
  mutable std::mutex mutex_;
};

}  // namespace

void FileTree::Keep(File file) {
  if (!IsHidden(file.path)) files_.push_back(std::move(file));
}

void FileTree::Sort() {
  std::sort(files_.begin(), files_.end(), [](const File& a, const File& b) { return a.path < b.path; });
}

Result<std::shared_ptr<const FileTree>> OpenFileTree(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return Folder::Open(path);
  std::string archive = path, inside;
  while (!archive.empty() && archive.back() == '/') archive.pop_back();
  while (!std::filesystem::exists(archive, error)) {
    const size_t slash = archive.rfind('/');
    if (slash == std::string::npos || slash == 0) return UserError("'{}' does not exist", path);
    inside = archive.substr(slash + 1) + (inside.empty() ? "" : "/" + inside);
    archive.resize(slash);
  }
  if (!std::filesystem::is_regular_file(archive, error)) return UserError("'{}' does not exist", path);
  return Archive::Open(archive, inside);
}

}  // namespace tamis
