// The body of DeformConv for the ISA of the including file.
#pragma once

#include "src/kernels/deform/deform_conv.h"
#include "src/kernels/vec_tile.h"

namespace tamis {
namespace {

constexpr int64_t kDeformPanel = kTileVectors * kLanes;

inline void DeformConv(const DeformArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                       int64_t end, std::byte* scratch) {
  const int64_t taps = args.Taps(), depth = args.Depth(), pixels = args.Pixels();
  const int64_t plane = args.geometry.axes[1].in * args.geometry.axes[2].in;
  const int64_t in_group = args.channels / args.groups, filters = args.filters / args.groups;
  const int64_t per_offset = args.channels / args.offset_groups;
  auto* panel = reinterpret_cast<float*>(scratch);
  float* products = panel + depth * kDeformPanel;
  for (int64_t item = begin; item < end; ++item) {
    const int64_t first = item % args.panels * kDeformPanel, group = item / args.panels % args.groups;
    const int64_t image = item / args.panels / args.groups, count = MinOf(kDeformPanel, pixels - first);
    const float* x = static_cast<const float*>(inputs[0]) + (image * args.channels + group * in_group) * plane;
    for (int64_t tap = 0; tap < taps; ++tap) {
      DeformTap found;
      int64_t known = -1;  // the offset group that `found` is of
      for (int64_t c = 0; c < in_group; ++c) {
        const int64_t offset_group = (group * in_group + c) / per_offset;
        if (offset_group != known) FindTap(args, inputs, image, offset_group, tap, first, count, &found);
        known = offset_group;
        const float* from = x + c * plane;
        float* row = panel + (c * taps + tap) * kDeformPanel;
        for (int64_t j = 0; j < count; ++j) {
          row[j] = (found.weight[0][j] * from[found.at[0][j]] + found.weight[1][j] * from[found.at[1][j]]) +
                   (found.weight[2][j] * from[found.at[2][j]] + found.weight[3][j] * from[found.at[3][j]]);
        }
        for (int64_t j = count; j < kDeformPanel; ++j) row[j] = 0;
      }
    }
    const float* weight = static_cast<const float*>(inputs[1]) + group * filters * depth;
    TileOfRows<F32Product, kTileVectors>(filters, depth, weight, depth, panel, kDeformPanel, products, kDeformPanel);
    for (int64_t m = 0; m < filters; ++m) {
      const int64_t filter = group * filters + m;
      const Vec bias = Set(args.bias ? static_cast<const float*>(inputs[3])[filter] : 0.0f);
      float* y = static_cast<float*>(outputs[0]) + (image * args.filters + filter) * pixels + first;
      Map(products + m * kDeformPanel, y, count, [&](Vec v) { return v + bias; });
    }
  }
}

}  // namespace
}  // namespace tamis
