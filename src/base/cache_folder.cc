#include "src/base/cache_folder.h"

#include <cstdlib>
#include <filesystem>

namespace tamis {

std::string CacheFolder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0') {
    return std::string(cache) + "/tamis";
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    return std::string(home) + "/.cache/tamis";
  }
  return {};
}

Status MakeFolderOf(const std::string& file) {
  const std::filesystem::path folder = std::filesystem::path(file).parent_path();
  std::error_code error;
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  return error ? RuntimeError("can't make the folder '{}': {}", folder.string(), error.message()) : Status();
}

}  // namespace tamis
