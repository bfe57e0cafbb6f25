#include "src/kernels/kernel_revision.h"

#include <algorithm>
#include <array>
#include <utility>

#include "src/kernels/kernel_threads.h"

namespace tamis {

uint64_t KernelRevision(std::string_view name) {
  name = SplitThreads(name).kernel;
  static constexpr auto kRevisions = std::to_array<std::pair<std::string_view, uint64_t>>({
#define TAMIS_KERNEL_REVISION(name, revision) {#name, revision},
#include "src/kernels/kernel_revisions.inc"
#undef TAMIS_KERNEL_REVISION
  });
  const auto* const found =
      std::find_if(kRevisions.begin(), kRevisions.end(), [&](const auto& revision) { return revision.first == name; });
  return found == kRevisions.end() ? 0 : found->second;
}

}  // namespace tamis
