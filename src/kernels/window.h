// Geometry of operators that slide a window over channels-last images: depthwise convolution and pooling.
#pragma once

#include "src/kernels/kernel.h"

namespace tamis {

// One spatial axis.
struct WindowAxis {
  int64_t in = 1, out = 1;
  int64_t taps = 1, stride = 1, dilation = 1;
  int64_t pad_begin = 0, pad_end = 0;
};

// x [batch, z.in, y.in, x.in, channels]; axes that the image lacks are of all ones.
struct Window {
  int64_t batch = 0, channels = 0;
  WindowAxis z, y, x;
};

// From the dims of input 0 and output 0 and the attributes strides, pads and dilations; `taps` are the window's dims.
// An error for other than one to `max_rank` spatial axes, or an attribute that doesn't fit. Every output element has at
// least one tap inside the padded image, except where the graph claims more outputs than that: then an error.
Result<Window> MakeWindow(const Problem& problem, const std::vector<int64_t>& taps, size_t max_rank = 2);

}  // namespace tamis
