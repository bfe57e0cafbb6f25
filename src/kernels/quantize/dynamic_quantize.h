// DynamicQuantizeLinear, for kernels that quantise their own operand too.
#pragma once

#include "src/kernels/quantize/quantize.h"
#include "src/ops/op_quantized.h"

namespace tamis {

// Writes the codes of `count` numbers by the bodies of this machine's best ISA.
DynamicScale QuantizeDynamically(const float* x, int64_t count, uint8_t* codes, ThreadPool& pool);
// By given ones, on at most `threads` threads; null codes: the scale only.
DynamicScale QuantizeDynamically(const QuantizeBodies& bodies, const float* x, int64_t count, int threads,
                                 uint8_t* codes, ThreadPool& pool);

}  // namespace tamis
