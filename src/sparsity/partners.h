// Partners for paired 2:4: two outputs that keep the same positions share work in the kernels that know of it.
#pragma once

#include <cstdint>
#include <vector>

#include "src/base/thread_pool.h"
#include "src/sparsity/moments.h"
#include "src/sparsity/pattern.h"

namespace tamis {

// Partners lie in the same panel of so many outputs, counted from the first: kernels can then put results back in order
// within a few registers.
inline constexpr int64_t kPartnerPanel = 32;

// partner[row], itself where it has none (the odd one of a panel). `saliency` [N][K], not negative, is what an
// element's removal costs; partners are chosen, best match first, so that little more of it is lost with a common mask
// than with two.
std::vector<int64_t> ChoosePartners(const RowMatrix& saliency, const WeightLayout& layout, ThreadPool& pool);

}  // namespace tamis
