// Conversion between element types, shared by Cast and CastLike.
#pragma once

#include "src/ops/op_bind.h"

namespace tamis {

// Sets output 0 to input 0's shape and `to`, which must be a float, integer or bool type.
Status InferCast(InferContext& context, DType to);
// Converts input 0 into the allocated output 0. Floats become integers by truncation; what an integer type can't hold
// saturates at 64 bits and then wraps, NaN becomes 0. Anything but 0 becomes true.
void CastElements(EvalContext& context);

}  // namespace tamis
