// Elementwise work on codes: QuantizedBinary, QuantizedGlobalAveragePool, QuantizeLinear and DequantizeLinear with one
// scale. Items are result elements, or (image, block of channels) of the pool.
#pragma once

#include "src/kernels/elementwise/broadcast.h"
#include "src/kernels/quantized/code_type.h"
#include "src/kernels/range_kernel.h"
#include "src/ops/op_quantized.h"

namespace tamis {

enum class CodesTask : uint8_t { kAdd, kMul, kGlobalPool, kQuantize, kDequantize };

struct CodesArgs {
  CodesTask task = CodesTask::kAdd;
  CodeType types[2] = {CodeType::kFloat32, CodeType::kFloat32}, y_type = CodeType::kFloat32;
  float scales[2] = {1, 1}, shifts[2] = {};  // number = scale * code + shift
  Epilogue activation;
  float factor = 1, zero = 0;  // code = round(factor * number) + zero
  BroadcastLoops loops;
  int64_t pixels = 0, channels = 0;
};

using CodesBody = RangeBody<CodesArgs>;

Status SupportsCodes(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareCodes(const Problem& problem, CodesBody body);

// How many channels an item of the pool has.
inline constexpr int64_t kPoolChannels = 64;

}  // namespace tamis
