// QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear that stay nodes of their own: arguments of their bodies
// and the part that does not depend on the ISA.
//
// The tensor is walked in runs of contiguous elements that have either one scale or a row of scales of their own: the
// whole tensor, the elements behind an axis, a last axis, a block of it, or a row of blocks along an axis before it.
#pragma once

#include "src/kernels/range_kernel.h"

namespace tamis {

struct ScaleRuns {
  int64_t runs = 1, length = 0;  // runs of so many elements; the last of each axis may be shorter
  bool row = false;              // scale i belongs to element i of the run, else one scale to all
  int64_t inner = 1, size = 1;   // of the axis: elements behind it, indices
  int64_t scales = 1;            // along the axis
  int64_t block = 0;             // 0: no blocks
};

// The elements [begin, begin + count) of a run and the first of its scales.
struct ScaleRun {
  int64_t begin, count, scale;
};
ScaleRun RunAt(const ScaleRuns& runs, int64_t run);

struct QuantizeArgs {
  ScaleRuns runs;
  DType quantized = DType::kUInt8;
  bool zero = false;  // input 2 is given
  bool integer = true;
  float low = 0, high = 255;     // of the integer type
  bool saturate = true;          // of float8
  const float* codes = nullptr;  // values of 256 codes, for floats of at most 8 bits; owned by the kernel
};

struct QuantizeBodies {
  // Runs [begin, end), or for a single run elements [begin, end).
  RangeBody<QuantizeArgs> quantize, dequantize;
  // Bounds of x[0, n): {min, max}, of {0, 0} and the elements.
  void (*bounds)(const float* x, int64_t n, float* bounds);
  void (*with_scale)(const float* x, int64_t n, float scale, float zero, uint8_t* y);
};
extern const QuantizeBodies kQuantizeBodiesSse2, kQuantizeBodiesAvx2, kQuantizeBodiesAvx512;

// Elements that the bodies leave to plain code: of less than a byte, and small floats.
bool IsPlainInteger(DType dtype);
void DecodeCodes(const QuantizeArgs& args, const void* from, int64_t begin, int64_t n, float* values);
void EncodeCodes(const QuantizeArgs& args, const float* values, int64_t n, void* to, int64_t begin);

Status SupportsQuantize(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareQuantize(const Problem& problem, const QuantizeBodies& bodies);

}  // namespace tamis
