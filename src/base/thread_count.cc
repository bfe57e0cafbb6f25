#include "src/base/thread_count.h"

namespace tamis {

Status CheckThreads(int threads) {
  if (threads >= 0 && threads <= kMaxThreads) return {};
  return UserError("--threads is {}; it takes 1 to {}, or 0 for every core", threads, kMaxThreads);
}

}  // namespace tamis
