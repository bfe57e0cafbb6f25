#include "src/base/cache_folder.h"

#include <cstdlib>

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

}  // namespace tamis
