// Memory that a stage of work took and freed, back to the system.
#pragma once

#if defined(__GLIBC__) || __has_include(<malloc.h>)
#include <malloc.h>
#endif

namespace tamis {

// glibc keeps what is freed in blocks of up to 32 MB for itself once such blocks were freed before: a network's packed
// weights would count on while the next stage takes its own. At the end of the scope of one of these, declared before
// what is to be freed, the pages leave the process. Elsewhere nothing happens.
class FreedMemoryReturned {
 public:
  FreedMemoryReturned() = default;
  FreedMemoryReturned(const FreedMemoryReturned&) = delete;
  FreedMemoryReturned& operator=(const FreedMemoryReturned&) = delete;
  ~FreedMemoryReturned() {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
  }
};

}  // namespace tamis
