// Element types between ONNX's numbers and DType, and the limits on dimensions that a file may declare.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "tamis/dtype.h"
#include "tamis/status.h"

namespace tamis {

// More elements than this in one tensor is a mistake or an attack: 64 Ti, 256 TiB of float32.
inline constexpr int64_t kMaxElements = int64_t{1} << 46;
inline constexpr size_t kMaxRank = 64;

// An error names the type ("FLOAT8E4M3FNUZ") and lists what is supported. kString is a DType like the others.
Result<DType> ReadDType(int32_t onnx_number);

// Non-negative, at most kMaxRank of them, a product of at most kMaxElements (0 counts as 1). The message holds the
// dimensions.
Status CheckDims(std::span<const int64_t> dims);

}  // namespace tamis
