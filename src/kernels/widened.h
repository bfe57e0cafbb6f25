// Half-precision problems by kernels of f32: the operands are widened, the results narrowed.
//
// A whole network in a type that the device does not compute in is widened once, when a session loads it. This is for
// single nodes: of a network that has bf16 kernels for its products and not for all the rest.
#pragma once

#include "src/kernels/kernel.h"

namespace tamis {

// The kernel that would compute the problem with its f16 and bf16 operands in f32; null if none would, or if the
// problem has no such operand.
const KernelDef* WidenedKernel(const Problem& problem);
// Prepares it so. `kernel` is what WidenedKernel gave.
Result<std::unique_ptr<PreparedKernel>> PrepareWidened(const KernelDef& kernel, const Problem& problem,
                                                       PackCache& cache);

}  // namespace tamis
