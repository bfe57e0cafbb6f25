// Memory that a stage of work took and freed, back to the system.
#pragma once

#include <cstddef>

#if defined(__GLIBC__) || __has_include(<malloc.h>)
#include <malloc.h>
#endif

#include "src/base/huge_pages.h"

// jemalloc's, in a program that is linked to it (jemalloc(3)); null elsewhere.
extern "C" __attribute__((weak)) int mallctl(const char* name, void* old, std::size_t* old_size, void* value,
                                             std::size_t value_size) noexcept;

namespace tamis {

// An allocator keeps what is freed for itself: glibc blocks of up to 32 MB once such blocks were freed before, jemalloc
// everything for some seconds. A network's packed weights would count on while the next stage takes its own. At the end
// of the scope of one of these, declared before what is to be freed, the pages leave the process: of the allocator's
// where it is one of these two, of ours (huge_pages.h) everywhere.
class FreedMemoryReturned {
 public:
  FreedMemoryReturned() = default;
  FreedMemoryReturned(const FreedMemoryReturned&) = delete;
  FreedMemoryReturned& operator=(const FreedMemoryReturned&) = delete;
  ~FreedMemoryReturned() {
    ReturnFreedHugePages();
    if (mallctl != nullptr) {
      mallctl("thread.tcache.flush", nullptr, nullptr, nullptr, 0);
      mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0);  // 4096: MALLCTL_ARENAS_ALL
      return;
    }
#ifdef __GLIBC__
    malloc_trim(0);
#endif
  }
};

}  // namespace tamis
