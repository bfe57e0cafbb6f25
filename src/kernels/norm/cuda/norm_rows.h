// Norms over the last axis.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "tamis/dtype.h"

namespace tamis::cuda {

// y = (x - mean) / sqrt(variance + epsilon) * scale + bias, a row at a time, statistics in f32. Not `centred`: the mean
// counts as 0, as in RMSNormalization.
struct LayerNormArgs {
  const void *x = nullptr, *scale = nullptr, *bias = nullptr;  // bias may be null
  void* y = nullptr;
  int rows = 0, columns = 0;
  float epsilon = 0;
  DType dtype = DType::kFloat32;  // of all operands: f32, f16 or bf16
  bool centred = true;
  // Not kUndefined, with x in f32 or f16: y holds codes of this type, round(y * factor) + y_zero; scale and bias are
  // f32 then, and `columns` is a multiple of 8, 2048 at most.
  DType codes = DType::kUndefined;
  float factor = 1;
  const float* factors = nullptr;  // not null: one a column instead
  int y_zero = 0;
  // Likewise with f32 scale and bias: rows that are added to x, and where the norm goes as numbers, beside codes or
  // instead of them. May be null.
  const void* residual = nullptr;
  void* numbers = nullptr;
  bool residual_f16 = false, numbers_f16 = false;  // else f32
};

cudaError_t LaunchLayerNorm(const LayerNormArgs& args, cudaStream_t stream);

// The layer norm of rows of a table and of what is added to them, both f32: y[r] = norm(table[indices[r]] +
// addend[r % addend_rows]), of `dtype`. `columns` is a multiple of 8, 2048 at most. Indices out of range, which the
// host refuses where it sees them, read zeros.
struct EmbeddingNormArgs {
  const float *table = nullptr, *addend = nullptr, *scale = nullptr, *bias = nullptr;  // addend and bias may be null
  const void* indices = nullptr;
  void* y = nullptr;
  int rows = 0, columns = 0, addend_rows = 1;
  int64_t table_rows = 0;
  float epsilon = 0;
  bool wide_indices = false;      // int64, else int32
  DType dtype = DType::kFloat32;  // of y: f32, f16 or bf16
};

cudaError_t LaunchEmbeddingNorm(const EmbeddingNormArgs& args, cudaStream_t stream);

// softmax over the last axis; log softmax with `logarithm`.
struct SoftmaxArgs {
  const void* x = nullptr;
  void* y = nullptr;
  int rows = 0, columns = 0;
  DType dtype = DType::kFloat32;  // f32, f16 or bf16
  bool logarithm = false;
};

cudaError_t LaunchSoftmax(const SoftmaxArgs& args, cudaStream_t stream);

}  // namespace tamis::cuda
