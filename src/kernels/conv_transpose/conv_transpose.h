// ConvTranspose of channels-first f32 data with a constant weight, 1 to 3 spatial axes: arguments of its bodies and the
// part that does not depend on the ISA.
//
// For every input pixel the product of its channels with the weight gives what it adds to a window of the result. An
// item is a block of output channels of one group of one image: it multiplies the pixels in chunks and adds the
// products to planes that no other item writes.
#pragma once

#include "src/kernels/range_kernel.h"
#include "src/ops/op_window.h"

namespace tamis {

constexpr int64_t kPixelChunk = 256;

struct ConvTransposeArgs {
  int64_t groups = 1;
  int64_t channels = 0, filters = 0;  // of a group
  int64_t block = 1, blocks = 1;      // output channels of an item, items of a group
  int64_t taps = 1, in_size = 0, out_size = 0;
  // Of each of three axes (leading ones trivial): input, output, kernel, stride, dilation, pad at the beginning.
  int64_t in[3] = {}, out[3] = {}, kernel[3] = {}, stride[3] = {}, dilation[3] = {}, pad[3] = {};
  bool bias = false;
  const float* weight = nullptr;  // [group][filter][tap][channel]
};

using ConvTransposeBody = RangeBody<ConvTransposeArgs>;

Status SupportsConvTranspose(const Problem& problem);
double ConvTransposeFlops(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareConvTranspose(const Problem& problem, PackCache& cache,
                                                             ConvTransposeBody body);

}  // namespace tamis
