#include "tamis/status.h"

#include <cstdio>

namespace tamis {

void AssertionFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "tamis: internal error: assertion '%s' failed at %s:%d. This is a bug in Tamis.\n", condition,
               file, line);
  std::abort();
}

}  // namespace tamis
