// Rotary positions: pairs of each head's elements turned by angles from tables.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "tamis/dtype.h"

namespace tamis::cuda {

// Rows of `size` elements, of which the first 2 * half are turned. Row r has the angles of row
// r / divisor % positions of the tables, `batch_step` elements on for every batch_rows rows. x and y are f32, f16 or
// bf16, tables and arithmetic f32.
struct RotaryRowsArgs {
  const void* x = nullptr;
  const float *cosine = nullptr, *sine = nullptr;
  void* y = nullptr;
  int64_t rows = 0;
  int size = 0, half = 0;
  int64_t divisor = 1, positions = 1, batch_rows = 1;
  int64_t width = 0, batch_step = 0;  // of the tables, in elements
  bool interleaved = false;           // pairs are neighbours, else half a row apart
  bool own_angles = false;            // the second of a pair has its own column of the tables
  DType x_dtype = DType::kFloat32, y_dtype = DType::kFloat32;
};

cudaError_t LaunchRotaryRows(const RotaryRowsArgs& args, cudaStream_t stream);

}  // namespace tamis::cuda
