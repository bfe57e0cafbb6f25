// A float network as one of float8e4m3fn, from unlabelled samples: DequantizeLinear and QuantizeLinear around its
// matrix products, as every runtime of operator set 19 reads them. GPUs that multiply such numbers compute them so
// (src/passes/recognize_float8.cc).
#pragma once

#include <span>

#include "src/compiler/quantize/quantize.h"

namespace tamis {

// Of QuantizeLinear to float8.
inline constexpr int64_t kOldestFloat8Opset = 19;

// As Quantize. MatMul and Gemm by constant matrices; convolutions stay float. An activation has one scale, which makes
// the largest number that was seen the largest code; each output of a weight has its own. Biases stay what they are,
// and zeros of a pruned weight zeros. Of `options`, keep, threads, progress and cancelled count.
Result<QuantizeReport> QuantizeToFloat8(Graph& simplified, std::span<const NamedTensors> batches,
                                        const QuantizeOptions& options);

}  // namespace tamis
