// Images of few channels folded into fewer pixels of more channels, which tensor cores can read.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "tamis/dtype.h"

namespace tamis::cuda {

// y[batch, out_h, out_w, pitch] of f16 from x[batch, channels, in_h, in_w] of f32: pixel (Y, X) holds the fold_h x
// fold_w pixels of x from (Y step_h - pad_h, X fold_w - pad_w) on, in the order (row, column, channel); zeros beyond
// the edges and up to `pitch`, which is a multiple of 8. With `codes` not kUndefined y holds codes of that type,
// round(x / scale) + zero, the zero point beyond the edges, and `pitch` is a multiple of 16.
struct FoldImageArgs {
  const float* x = nullptr;
  void* y = nullptr;
  int batch = 0, channels = 0, in_h = 0, in_w = 0;
  int out_h = 0, out_w = 0, fold_h = 1, fold_w = 1, pad_h = 0, pad_w = 0;
  int step_h = 0;  // rows of x from one line of y to the next; 0: fold_h
  int pitch = 0;
  DType codes = DType::kUndefined;
  float scale = 1;
  int zero = 0;
};

inline constexpr int kMostFolded = 1024;  // `pitch`

cudaError_t LaunchFoldImage(const FoldImageArgs& args, cudaStream_t stream);

}  // namespace tamis::cuda
