// The sliding window of convolutions and pools: attributes, output sizes and the walk over positions and taps.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "src/ops/op_rule.h"

namespace tamis {

enum class AutoPad : uint8_t { kNotSet, kValid, kSameUpper, kSameLower };

// The attributes of a sliding window with ONNX's defaults filled in; one entry a spatial axis.
struct SlidingWindow {
  std::vector<int64_t> kernel;
  std::vector<int64_t> strides;
  std::vector<int64_t> dilations;
  std::vector<int64_t> pads;  // all begins, then all ends; zeros unless auto_pad is kNotSet
  AutoPad auto_pad = AutoPad::kNotSet;
  bool ceil_mode = false;

  size_t rank() const { return kernel.size(); }
  // What the taps span: (kernel - 1) * dilation + 1.
  int64_t Extent(size_t axis) const { return (kernel[axis] - 1) * dilations[axis] + 1; }
};

// What may be left to a default. The tamis domain knows no auto_pad.
enum class WindowAttributes : uint8_t {
  kOnnx,          // everything
  kExplicitPads,  // strides and dilations
  kExplicit,      // nothing
};

// Reads strides, pads, dilations, auto_pad and ceil_mode of a node whose kernel is `kernel` (1 to 3 axes). On any
// problem, adds it; the window is usable only if nothing was added. Values are bounded by 2^20, so that no product
// of three overflows.
SlidingWindow ReadWindow(const Node& node, std::vector<int64_t> kernel, WindowAttributes attributes,
                         NodeProblems* problems);
// The kernel from the spatial axes of a weight's shape, which start at `first_axis` and are `spatial_rank` many. Adds a
// problem if attribute kernel_shape contradicts. nullopt if the kernel is not known (or wrong).
std::optional<std::vector<int64_t>> KernelOfWeight(const Node& node, const Shape& weight, size_t first_axis,
                                                   size_t spatial_rank, NodeProblems* problems);

// The number of window positions along an axis. The ceiling form drops a last window that would start in the padding
// after the input. Adds a problem if a constant size has no position.
Dim WindowOutput(const SlidingWindow& window, size_t axis, const Dim& in, NodeProblems* problems);

// One axis at real sizes.
struct SlidingAxis {
  int64_t in = 1;
  int64_t out = 1;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t pad_begin = 0;
  int64_t pad_end = 0;
};

// Always three axes, leading ones trivial, so that one loop serves 1-D to 3-D.
struct WindowGeometry {
  std::array<SlidingAxis, 3> axes;

  int64_t InputSize() const { return axes[0].in * axes[1].in * axes[2].in; }
  int64_t OutputSize() const { return axes[0].out * axes[1].out * axes[2].out; }
  int64_t KernelSize() const { return axes[0].kernel * axes[1].kernel * axes[2].kernel; }
};

// `spatial_in` and `spatial_out` are the dimensions of a tensor before and after; they must follow from the window.
WindowGeometry GeometryOf(const SlidingWindow& window, std::span<const int64_t> spatial_in,
                          std::span<const int64_t> spatial_out);

// One tap of a window that lies inside the input: row-major positions over the spatial axes.
struct Tap {
  int64_t input = 0;
  int64_t kernel = 0;
};

// Calls f(position, taps) for every output position in row-major order.
template <class F>
void ForEachWindow(const WindowGeometry& geometry, F&& f) {
  const auto& [d, h, w] = geometry.axes;
  const auto first = [](const SlidingAxis& axis, int64_t out) { return out * axis.stride - axis.pad_begin; };
  // Taps k with 0 <= start + k * dilation < in.
  const auto begin = [](const SlidingAxis& axis, int64_t start) {
    return start >= 0 ? 0 : std::min(axis.kernel, (-start + axis.dilation - 1) / axis.dilation);
  };
  const auto end = [](const SlidingAxis& axis, int64_t start) {
    return start >= axis.in ? 0 : std::min(axis.kernel, (axis.in - 1 - start) / axis.dilation + 1);
  };
  std::vector<Tap> taps;
  int64_t position = 0;
  for (int64_t od = 0; od < d.out; ++od) {
    const int64_t sd = first(d, od);
    for (int64_t oh = 0; oh < h.out; ++oh) {
      const int64_t sh = first(h, oh);
      for (int64_t ow = 0; ow < w.out; ++ow) {
        const int64_t sw = first(w, ow);
        taps.clear();
        for (int64_t kd = begin(d, sd); kd < end(d, sd); ++kd) {
          for (int64_t kh = begin(h, sh); kh < end(h, sh); ++kh) {
            const int64_t row = ((sd + kd * d.dilation) * h.in + sh + kh * h.dilation) * w.in;
            for (int64_t kw = begin(w, sw); kw < end(w, sw); ++kw) {
              taps.push_back({row + sw + kw * w.dilation, (kd * h.kernel + kh) * w.kernel + kw});
            }
          }
        }
        f(position++, std::span<const Tap>(taps));
      }
    }
  }
}

// Taps of every position, in order, that lie inside the input or its padding: what count_include_pad divides by.
std::vector<int64_t> PaddedTapCounts(const WindowGeometry& geometry);

}  // namespace tamis
