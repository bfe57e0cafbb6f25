// Work on codes that is no product: elements of up to two operands with broadcasting, tables, means of pixels.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "src/kernels/cuda/epilogue_args.h"
#include "tamis/dtype.h"

namespace tamis::cuda {

enum class CodeTask : int {
  kQuantize,    // y = code(a / scale), scale one number or one an index of an axis
  kDequantize,  // y = scale * (a - zero), likewise
  kAdd,         // y = code(act(a + b)), a and b codes or numbers
  kMul,
  kMean,  // of pixels: a [batch, pixels, channels] to y [batch, channels]
};

struct CodeElementsArgs {
  CodeTask task = CodeTask::kQuantize;
  const void *a = nullptr, *b = nullptr;
  void* y = nullptr;
  DType a_dtype = DType::kUInt8, b_dtype = DType::kUndefined, y_dtype = DType::kUInt8;  // u8, s8, f16, f32
  float a_scale = 1, b_scale = 1, y_scale = 1;
  int a_zero = 0, b_zero = 0, y_zero = 0;
  // kQuantize and kDequantize: on the device, one an index of the axis; null: `a_scale` or `y_scale`, and likewise the
  // zero points.
  const float* scales = nullptr;
  const int32_t* zeros = nullptr;
  int64_t inner = 1, axis_size = 1;  // elements behind the axis, indices
  ActivationArgs activation;
  int64_t count = 0;  // of y
  int rank = 1;       // of the loops over y, neighbouring dimensions merged
  int64_t dims[8] = {};
  int64_t strides[2][8] = {};  // elements; 0 where broadcast
  int pixels = 0, channels = 0;
};
cudaError_t LaunchCodeElements(const CodeElementsArgs& args, cudaStream_t stream);

// y[i] = table[x[i]].
cudaError_t LaunchLookup(const uint8_t* x, const uint8_t* table, uint8_t* y, int64_t count, cudaStream_t stream);

}  // namespace tamis::cuda
