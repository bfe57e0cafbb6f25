// Memory for weights as kernels read them and for what networks compute: in huge pages where the system gives them.
//
// In pages of 4 KB every panel of a weight costs dozens of walks through the tables of pages, on a virtual machine
// through those of two systems, and prefetches wait for them: 2 to 4 % of BERT-base's time on two cores of Zen 1.
// Blocks share regions, since a weight by itself seldom fills whole huge pages.
#pragma once

#include <cstddef>

namespace tamis {

// Aligned to 64 bytes, contents undefined, freed by FreeHuge with the same number of bytes. Blocks that are too small
// to gain come from the allocator, as all do under AddressSanitizer, which watches over it. Throws std::bad_alloc.
// Thread-safe.
std::byte* AllocateHuge(size_t bytes);
void FreeHuge(std::byte* block, size_t bytes) noexcept;

// A region all of whose blocks are freed leaves the process at once; this returns the pages between blocks that are in
// use, too.
void ReturnFreedHugePages() noexcept;

// What AllocateHuge has taken from the system, for tests.
struct HugeMemory {
  size_t regions = 0, mapped = 0, used = 0;  // bytes mapped, of which so many are blocks
};
HugeMemory HugeMemoryNow();

}  // namespace tamis
