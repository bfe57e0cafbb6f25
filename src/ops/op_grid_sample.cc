#include "src/ops/op_grid_sample.h"

#include <algorithm>

namespace tamis {
namespace {

double Reflect(double x, double low, double high) {
  const double range = high - low;
  if (range <= 0) return low;
  if (x >= low && x <= high) return x;
  const double off = x < low ? low - x : x - high;
  const double turns = std::floor(off / range);
  const double rest = off - turns * range;
  const bool from_low = (x < low) == (std::fmod(turns, 2) == 0);
  return from_low ? low + rest : high - rest;
}

int64_t Index(const GridOptions& options, double i, int64_t length) {
  const auto last = static_cast<double>(length - 1);
  switch (options.padding) {
    case GridPadding::kZeros:
      return i >= 0 && i <= last ? static_cast<int64_t>(i) : -1;
    case GridPadding::kBorder:
      break;
    case GridPadding::kReflection:
      i = options.align_corners ? Reflect(i, 0, last) : Reflect(i, -0.5, last + 0.5);
      break;
  }
  return static_cast<int64_t>(std::clamp(i, 0.0, last));
}

}  // namespace

GridOptions ReadGridOptions(const Node& node, NodeProblems* problems) {
  GridOptions options;
  // The first names are those of opsets before 20.
  const std::string mode = node.String("mode", "linear");
  if (mode == "nearest") {
    options.mode = GridMode::kNearest;
  } else if (mode == "bicubic" || mode == "cubic") {
    options.mode = GridMode::kCubic;
  } else if (mode != "bilinear" && mode != "linear") {
    problems->Add("attribute 'mode' is '{}' but must be linear, nearest or cubic", mode);
  }
  const std::string padding = node.String("padding_mode", "zeros");
  if (padding == "border") {
    options.padding = GridPadding::kBorder;
  } else if (padding == "reflection") {
    options.padding = GridPadding::kReflection;
  } else if (padding != "zeros") {
    problems->Add("attribute 'padding_mode' is '{}' but must be zeros, border or reflection", padding);
  }
  options.align_corners = node.Int("align_corners", 0) != 0;
  return options;
}

GridTaps GridTapsAt(const GridOptions& options, double at, int64_t length) {
  const auto size = static_cast<double>(length);
  const double low = options.align_corners ? 0 : -0.5, high = options.align_corners ? size - 1 : size - 0.5;
  double x = options.align_corners ? (at + 1) / 2 * (size - 1) : ((at + 1) * size - 1) / 2;
  if (!(std::abs(x) < 1e15)) x = -100;
  if (options.mode == GridMode::kNearest) x = std::nearbyint(x);
  if (x < low || x > high) {
    if (options.padding == GridPadding::kBorder) x = std::clamp(x, 0.0, size - 1);
    if (options.padding == GridPadding::kReflection) x = Reflect(x, low, high);
  }
  GridTaps taps;
  if (options.mode == GridMode::kNearest) {
    taps.index[0] = Index(options, x, length);
    taps.weight[0] = 1;
    return taps;
  }
  const double floor = std::floor(x), t = x - floor;
  const bool cubic = options.mode == GridMode::kCubic;
  taps.count = cubic ? 4 : 2;
  for (int i = 0; i < taps.count; ++i) taps.index[i] = Index(options, floor + i - (cubic ? 1 : 0), length);
  if (!cubic) {
    taps.weight[0] = 1 - t;
    taps.weight[1] = t;
    return taps;
  }
  constexpr double kA = -0.75;
  const auto inner = [](double d) { return ((kA + 2) * d - (kA + 3)) * d * d + 1; };
  const auto outer = [](double d) { return ((kA * d - 5 * kA) * d + 8 * kA) * d - 4 * kA; };
  taps.weight[0] = outer(1 + t);
  taps.weight[1] = inner(t);
  taps.weight[2] = inner(1 - t);
  taps.weight[3] = outer(2 - t);
  return taps;
}

}  // namespace tamis
