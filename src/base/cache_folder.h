// Where Tamis keeps what it can make again.
#pragma once

#include <string>

#include "tamis/status.h"

namespace tamis {

// "$XDG_CACHE_HOME/tamis", else "$HOME/.cache/tamis"; empty if neither is set. Not created.
std::string CacheFolder();
// Makes the folder that `file` is to lie in, with those above it; a bare name needs none. kRuntime if it cannot.
Status MakeFolderOf(const std::string& file);

}  // namespace tamis
