// Floats of at most 8 bits: float8, float4 and the power-of-two scales of the microscaling formats.
#pragma once

#include <cstdint>

#include "tamis/dtype.h"

namespace tamis {

bool IsSmallFloat(DType dtype);

// How float8_e8m0fnu, which holds powers of two, takes what lies between two of them.
enum class ScaleRounding : uint8_t { kUp, kDown, kNearest };

// The value of a code, exactly.
double DecodeSmallFloat(DType dtype, uint8_t code);
// The nearest code, ties to even. A value beyond the largest finite one becomes that one if `saturate`, else infinity
// or NaN, whichever the type has. float4_e2m1fn has neither: it saturates always, and NaN becomes -0, as NumPy's
// ml_dtypes have it. float8_e8m0fnu drops the sign.
uint8_t EncodeSmallFloat(DType dtype, double value, bool saturate = true, ScaleRounding rounding = ScaleRounding::kUp);

}  // namespace tamis
