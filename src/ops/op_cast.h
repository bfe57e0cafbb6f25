// Conversion between element types, shared by Cast and CastLike.
#pragma once

#include "src/ops/op_bind.h"

namespace tamis {

// Sets output 0 to input 0's shape and `to`. Every element type but complex ones converts to every other.
Status InferCast(InferContext& context, DType to);
// Converts input 0 into output 0, which it allocates. Floats become integers by truncation; what an integer type can't
// hold saturates at 64 bits and then wraps, NaN becomes 0. Anything but 0 becomes true. The attributes saturate and
// round_mode say how small floats take values. Strings are read and written as decimal numbers, infinities as INF and
// -INF; a string that is no number is an error.
Status EvalCast(EvalContext& context);
// The elements of a tensor of numbers or bools as Cast gives them, without attributes.
Tensor CastTensor(const Tensor& from, DType to);

}  // namespace tamis
