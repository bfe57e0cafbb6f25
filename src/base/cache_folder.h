// Where Tamis keeps what it can make again.
#pragma once

#include <string>

namespace tamis {

// "$XDG_CACHE_HOME/tamis", else "$HOME/.cache/tamis"; empty if neither is set. Not created.
std::string CacheFolder();

}  // namespace tamis
