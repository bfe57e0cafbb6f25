#include "src/ops/op_window.h"

namespace tamis {
namespace {

constexpr int64_t kMaxWindowValue = int64_t{1} << 20;

std::vector<int64_t> ReadInts(const Node& node, const std::string& key, size_t count, int64_t fallback, int64_t least,
                              bool required, NodeProblems* problems) {
  if (!node.Has(key)) {
    if (required) problems->Add("attribute '{}' is missing", key);
    return std::vector<int64_t>(count, fallback);
  }
  std::vector<int64_t> values = node.Ints(key);
  const auto legal = [least](int64_t v) { return v >= least && v <= kMaxWindowValue; };
  if (values.size() != count || !std::all_of(values.begin(), values.end(), legal)) {
    problems->Add("attribute '{}' is {} but must hold {} integers from {} to {}", key, ToString(values), count, least,
                  kMaxWindowValue);
    values.assign(count, fallback);
  }
  return values;
}

AutoPad ReadAutoPad(const Node& node, WindowAttributes attributes, NodeProblems* problems) {
  const std::string name = node.String("auto_pad", "NOTSET");
  if (name == "NOTSET") return AutoPad::kNotSet;
  if (attributes != WindowAttributes::kOnnx) {
    problems->Add("attribute 'auto_pad' is not allowed here, pads must be explicit");
    return AutoPad::kNotSet;
  }
  if (name == "VALID") return AutoPad::kValid;
  if (name == "SAME_UPPER") return AutoPad::kSameUpper;
  if (name == "SAME_LOWER") return AutoPad::kSameLower;
  problems->Add("attribute 'auto_pad' is '{}' but must be NOTSET, VALID, SAME_UPPER or SAME_LOWER", name);
  return AutoPad::kNotSet;
}

bool IsSame(AutoPad auto_pad) {
  return auto_pad == AutoPad::kSameUpper || auto_pad == AutoPad::kSameLower;
}

}  // namespace

SlidingWindow ReadWindow(const Node& node, std::vector<int64_t> kernel, WindowAttributes attributes,
                         NodeProblems* problems) {
  SlidingWindow window;
  const size_t rank = kernel.size();
  if (rank < 1 || rank > 3) problems->Add("has {} spatial axes but only 1 to 3 are supported", rank);
  for (int64_t& size : kernel) {
    if (size >= 1 && size <= kMaxWindowValue) continue;
    problems->Add("the kernel has size {} but must have 1 to {}", size, kMaxWindowValue);
    size = 1;
  }
  window.kernel = std::move(kernel);
  const bool all_explicit = attributes == WindowAttributes::kExplicit;
  window.strides = ReadInts(node, "strides", rank, 1, 1, all_explicit, problems);
  window.dilations = ReadInts(node, "dilations", rank, 1, 1, all_explicit, problems);
  window.pads = ReadInts(node, "pads", 2 * rank, 0, 0, attributes != WindowAttributes::kOnnx, problems);
  window.auto_pad = ReadAutoPad(node, attributes, problems);
  if (window.auto_pad != AutoPad::kNotSet) window.pads.assign(2 * rank, 0);
  window.ceil_mode = node.Int("ceil_mode", 0) != 0;
  return window;
}

std::optional<std::vector<int64_t>> KernelOfWeight(const Node& node, const Shape& weight, size_t first_axis,
                                                   size_t spatial_rank, NodeProblems* problems) {
  const std::vector<int64_t> declared = node.Ints("kernel_shape");
  if (!declared.empty() && declared.size() != spatial_rank) {
    problems->Add("attribute 'kernel_shape' is {} but must hold {} integers", ToString(declared), spatial_rank);
    return std::nullopt;
  }
  std::vector<int64_t> kernel;
  for (size_t i = 0; i < spatial_rank; ++i) {
    const auto size = weight[first_axis + i].Constant();
    if (size && !declared.empty() && *size != declared[i]) {
      problems->Add("attribute 'kernel_shape' is {} but the weight has shape {}", ToString(declared), ToString(weight));
      return std::nullopt;
    }
    if (!size && declared.empty()) return std::nullopt;
    kernel.push_back(size ? *size : declared[i]);
  }
  return kernel;
}

Dim WindowOutput(const SlidingWindow& window, size_t axis, const Dim& in, NodeProblems* problems) {
  const Dim stride(window.strides[axis]);
  if (IsSame(window.auto_pad)) return Dim::CeilDiv(in, stride);
  const Dim padded = in + Dim(window.pads[axis]) + Dim(window.pads[axis + window.rank()]);
  const Dim slack = padded - Dim(window.Extent(axis));
  Dim last = Dim::FloorDiv(slack, stride);
  if (window.ceil_mode) {
    const Dim last_start = in + Dim(window.pads[axis] - 1);
    last = Dim::Min(Dim::CeilDiv(slack, stride), Dim::FloorDiv(last_start, stride));
  }
  if (last.Constant().value_or(0) < 0) {
    problems->Add("spatial axis {}: the window spans {} elements but the padded input has {}", axis,
                  window.Extent(axis), padded.ToString());
  }
  return last + Dim(1);
}

WindowGeometry GeometryOf(const SlidingWindow& window, std::span<const int64_t> spatial_in,
                          std::span<const int64_t> spatial_out) {
  WindowGeometry geometry;
  const size_t rank = window.rank();
  for (size_t i = 0; i < rank; ++i) {
    SlidingAxis& axis = geometry.axes[3 - rank + i];
    axis = {spatial_in[i],       spatial_out[i], window.kernel[i],     window.strides[i],
            window.dilations[i], window.pads[i], window.pads[i + rank]};
    if (!IsSame(window.auto_pad)) continue;
    const int64_t total = std::max<int64_t>((axis.out - 1) * axis.stride + window.Extent(i) - axis.in, 0);
    const int64_t smaller = total / 2;
    axis.pad_begin = window.auto_pad == AutoPad::kSameUpper ? smaller : total - smaller;
    axis.pad_end = total - axis.pad_begin;
  }
  return geometry;
}

std::vector<int64_t> PaddedTapCounts(const WindowGeometry& geometry) {
  std::array<std::vector<int64_t>, 3> counts;
  for (size_t i = 0; i < 3; ++i) {
    const SlidingAxis& axis = geometry.axes[i];
    for (int64_t out = 0; out < axis.out; ++out) {
      const int64_t start = out * axis.stride - axis.pad_begin;
      const int64_t limit = axis.in + axis.pad_end;
      counts[i].push_back(start >= limit ? 0 : std::min(axis.kernel, (limit - 1 - start) / axis.dilation + 1));
    }
  }
  std::vector<int64_t> products;
  for (int64_t d : counts[0]) {
    for (int64_t h : counts[1]) {
      for (int64_t w : counts[2]) products.push_back(d * h * w);
    }
  }
  return products;
}

}  // namespace tamis
