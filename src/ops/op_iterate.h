// What Loop and Scan share: types that hold in every iteration.
#pragma once

#include <string>
#include <vector>

#include "src/ops/op_types.h"

namespace tamis {

// Symbols that mean the same inside of the node's bodies and outside: those of its operands and captures. Call it after
// InferRegion, which is what gives captures their types.
std::vector<std::string> OutsideSymbols(const InferContext& context);

// The types that the body of region 0 gives when `types` go in. types[first_in + k] is the type of carried variable k
// (output k of the node) before the first iteration; the body gives its next value as result first_out + k. The
// variables' types are widened until the body gives back no more than it takes.
Result<std::vector<Type>> InferIterations(InferContext& context, std::vector<Type>* types, size_t first_in,
                                          size_t first_out, size_t carried);

// The type of output `output`, which collects `piece` along a new axis of length `count`.
Result<Type> CollectedType(const InferContext& context, size_t output, const Type& piece, int64_t axis,
                           const Dim& count);

}  // namespace tamis
