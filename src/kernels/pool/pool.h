// Max and average pools, channels last or (f32, without indices) in ONNX's order, where every plane is an image of one
// channel: the arguments of their bodies and the part that does not depend on the ISA. Items are rows of the result.
// Sizes of the result are the graph's (floor or ceil mode).
//
// A row of the result is reduced along the other axes first, whole rows of the image at a time, and then along x. The
// scratch of a part holds the row in between.
#pragma once

#include "src/kernels/range_kernel.h"
#include "src/kernels/window.h"
#include "src/ops/op_window.h"

namespace tamis {

struct PoolArgs {
  Window window;
  bool average = false;
  bool count_padding = false;  // an average divides by the taps inside the padded image, not inside the image
  bool bf16_input = false, bf16_output = false;
};

using PoolBody = RangeBody<PoolArgs>;

// Of a pool in ONNX's order, whatever its type.
Result<WindowGeometry> OnnxPoolGeometry(const Problem& problem);
Status SupportsPool(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PreparePool(const Problem& problem, PoolBody body);
double PoolFlops(const Problem& problem);

}  // namespace tamis
