// Tensors that are written once and kept: a network's weights.
#pragma once

#include "tamis/tensor.h"

namespace tamis {

// Zeroed elements like Tensor's own, but where they are many the memory comes from the kernel with its pages in place:
// that costs less than zeroing it here and meeting every page in a fault of its own. Not for what comes and goes, for
// which the allocator keeps memory at hand.
Tensor LargeTensor(DType dtype, Dims dims);

}  // namespace tamis
