// How many threads a user may ask for.
#pragma once

#include "tamis/status.h"

namespace tamis {

// More than any machine's cores; far more end in a system that can't start them.
inline constexpr int kMaxThreads = 1024;

// `threads` as every verb takes them: 0 (every core) to kMaxThreads.
Status CheckThreads(int threads);

}  // namespace tamis
