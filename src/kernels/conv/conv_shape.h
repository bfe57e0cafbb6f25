// What the conv kernels read from a Problem of operator ChannelsLastConv.
#pragma once

#include <array>

#include "src/kernels/gemm/gemm_shape.h"
#include "src/ops/op_window.h"

namespace tamis {

// y[b, o...] over x[b, i...] with one to three spatial axes. The arrays always hold three, the last `rank` of them real
// and the others as if the kernel had size 1 there. Axes of size 1 that the kernel does not reach along count as none,
// and those of a volume are joined where they can be: what is left is the same in memory, and kernels find the long
// axis of [1, 512, 1] where they walk along, and images where frames stand alone.
struct ConvShape {
  using Axes = std::array<int64_t, 3>;
  size_t rank = 0;
  int64_t batch = 0;
  int64_t channels = 0;  // of x
  int64_t outputs = 0;
  int64_t group = 1;
  Axes in = {1, 1, 1};
  Axes out = {1, 1, 1};
  Axes kernel = {1, 1, 1};
  Axes stride = {1, 1, 1};
  Axes dilation = {1, 1, 1};
  Axes pad_begin = {};
  Axes pad_end = {};
  DType in_dtype = DType::kUndefined;
  DType out_dtype = DType::kUndefined;
  DType residual_dtype = DType::kUndefined;
  Epilogue epilogue;

  int64_t Taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  int64_t Depth() const { return Taps() * (channels / group); }  // of one output
  bool Dilated() const { return dilation[0] > 1 || dilation[1] > 1 || dilation[2] > 1; }
  int64_t OutPixels() const { return out[0] * out[1] * out[2]; }
  // Every output pixel reads exactly the input pixel at its own place: a matrix product over pixels.
  bool Pointwise() const;
  // The matrix product with OutPixels() * batch rows that has the same multiplications.
  GemmShape AsGemm() const;
};

// Of all the taps of all outputs, how many read x and not its padding. Dilated kernels on small images: few.
double ShareOfTapsInside(const ConvShape& shape);

std::array<SlidingAxis, 3> AxesOf(const ConvShape& shape);

// Every problem whose operands are f32 or bf16, whose weight is constant and whose dimensions agree; else the reason.
Result<ConvShape> ReadConv(const Problem& problem);

}  // namespace tamis
