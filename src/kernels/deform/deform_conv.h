// DeformConv of f32 over one or two spatial axes: arguments of its bodies and the part that does not depend on the ISA.
//
// Items are panels of output pixels of one image and group. What the window sees at each of them is sampled into a
// panel [depth][pixels], which the filters are then multiplied with.
#pragma once

#include "src/kernels/range_kernel.h"
#include "src/ops/op_window.h"

namespace tamis {

struct DeformArgs {
  WindowGeometry geometry;  // the first axis is trivial
  int64_t channels = 1, filters = 1, groups = 1, offset_groups = 1;
  int64_t rank = 2;  // 1: offsets have one number a tap
  bool bias = false, mask = false;
  int64_t panel = 16, panels = 1;  // pixels of an item, items of one image and group

  int64_t Taps() const { return geometry.axes[1].kernel * geometry.axes[2].kernel; }
  int64_t Depth() const { return channels / groups * Taps(); }
  int64_t Pixels() const { return geometry.axes[1].out * geometry.axes[2].out; }
};

using DeformBody = RangeBody<DeformArgs>;

constexpr int64_t kMaxDeformPanel = 64;

// Where a tap reads for the pixels [first, first + count) of image n: four elements of a plane and their weights, 0
// outside, scaled by the mask.
struct DeformTap {
  int32_t at[4][kMaxDeformPanel];
  float weight[4][kMaxDeformPanel];
};
void FindTap(const DeformArgs& args, const void* const* inputs, int64_t image, int64_t offset_group, int64_t tap,
             int64_t first, int64_t count, DeformTap* found);

Status SupportsDeformConv(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareDeformConv(const Problem& problem, DeformBody body, int64_t panel);
double DeformConvFlops(const Problem& problem);

}  // namespace tamis
