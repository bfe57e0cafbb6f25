// A number that changes with a kernel's code: what it computes and how long it takes may then be another thing.
#pragma once

#include <cstdint>
#include <string_view>

namespace tamis {

// Made from the sources when they are compiled (cmake/KernelRevisions.cmake). 0 for names that are no kernel of the
// CPU.
uint64_t KernelRevision(std::string_view name);

}  // namespace tamis
