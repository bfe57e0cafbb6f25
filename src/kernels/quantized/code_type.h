// What the elements of an operand of int8 work are.
#pragma once

#include <cstdint>

#include "tamis/tensor.h"

namespace tamis {

enum class CodeType : uint8_t { kUInt8, kInt8, kFloat32 };
// kFloat32 for every other dtype.
CodeType CodeTypeOf(DType dtype);

}  // namespace tamis
