// Conversion between element types, shared by Cast and CastLike.
#pragma once

#include "src/ops/op_data.h"

namespace tamis {

// Every numeric type and bool into every other: floats round to nearest even, floats to integers truncate and saturate
// (NaN becomes 0), integers wrap, anything but 0 is true.
Result<Tensor> CastTensor(const Tensor& x, DType to);

}  // namespace tamis
