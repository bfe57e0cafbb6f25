#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "src/kernels/family_test.h"

namespace tamis::kernel_test {
namespace {

struct PoolShape {
  Dims x;    // batch, spatial..., channels
  Dims out;  // spatial dims of the result
  std::vector<int64_t> taps, strides, dilations, pads;
};

KernelCase PoolCase(const PoolShape& s, bool average, bool count_padding, DType in, DType out) {
  KernelCase c;
  c.node = {average ? "ChannelsLastAveragePool" : "ChannelsLastMaxPool", std::string(kTamisDomain), {}};
  c.node.attributes = {{"kernel_shape", s.taps}, {"strides", s.strides}, {"dilations", s.dilations}, {"pads", s.pads}};
  if (average) c.node.attributes["count_include_pad"] = int64_t{count_padding};
  c.name = fmt::format("{} {} {} to {} taps {} pads {} count padding {}", c.node.op, Name(in), ToString(s.x), Name(out),
                       ToString(s.taps), ToString(s.pads), count_padding);
  c.inputs = {RandomTensor(in, s.x, 21)};
  Dims dims{s.x[0]};
  dims.insert(dims.end(), s.out.begin(), s.out.end());
  dims.push_back(s.x.back());
  c.outputs = {{out, dims}};
  const auto x = Doubles(c.inputs[0]);
  const bool flat = s.taps.size() == 1;
  const auto axis = [&](const auto& values, size_t offset, size_t i, int64_t missing) {
    if (flat && i == 0) return missing;
    return static_cast<int64_t>(values[offset + (flat ? 0 : i)]);
  };
  const int64_t height = axis(s.x, 1, 0, 1), width = axis(s.x, 1, 1, 1), channels = s.x.back();
  c.expected = {{}};
  for (int64_t i = 0; i < NumElements(dims); ++i) {
    const int64_t channel = i % channels, columns = s.out.back();
    const int64_t at_x = i / channels % columns, at_y = i / channels / columns % axis(s.out, 0, 0, 1);
    const int64_t b = i / channels / columns / axis(s.out, 0, 0, 1);
    double sum = 0, top = -std::numeric_limits<double>::infinity(), count = 0;
    for (int64_t r = 0; r < axis(s.taps, 0, 0, 1); ++r) {
      for (int64_t t = 0; t < axis(s.taps, 0, 1, 1); ++t) {
        const int64_t pad_y = axis(s.pads, 0, 0, 0), pad_x = axis(s.pads, 0, 1, 0);
        const int64_t row = at_y * axis(s.strides, 0, 0, 1) - pad_y + r * axis(s.dilations, 0, 0, 1);
        const int64_t column = at_x * axis(s.strides, 0, 1, 1) - pad_x + t * axis(s.dilations, 0, 1, 1);
        const bool inside = row >= 0 && row < height && column >= 0 && column < width;
        const bool padded =
            row < height + axis(s.pads, s.taps.size(), 0, 0) && column < width + axis(s.pads, s.taps.size(), 1, 0);
        if (inside || (count_padding && padded)) count += 1;
        if (!inside) continue;
        const double value = x[static_cast<size_t>(((b * height + row) * width + column) * channels + channel)];
        sum += value;
        top = std::max(top, value);
      }
    }
    c.expected[0].push_back(average ? sum / count : top);
  }
  c.absolute = 1e-5;
  return c;
}

TEST(PoolKernels, MatchTheReference) {
  std::vector<KernelCase> cases;
  const std::vector<PoolShape> shapes = {
      {{1, 12, 12, 64}, {6, 6}, {3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}},
      {{2, 7, 9, 35}, {3, 4}, {2, 2}, {2, 2}, {1, 1}, {0, 0, 0, 0}},
      {{1, 6, 6, 16}, {3, 3}, {3, 3}, {2, 2}, {1, 1}, {0, 0, 1, 1}},
      {{1, 5, 5, 3}, {3, 3}, {3, 3}, {2, 2}, {1, 1}, {0, 0, 0, 0}},  // ceil mode: the last windows stick out
      {{1, 9, 9, 7}, {5, 7}, {3, 2}, {1, 1}, {2, 2}, {0, 0, 0, 0}},
      {{3, 40, 20}, {14}, {3}, {3}, {1}, {1, 1}},
      {{1, 40, 33, 96}, {20, 17}, {3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}}};
  for (const PoolShape& s : shapes) {
    for (const DType in : {DType::kFloat32, DType::kBFloat16}) {
      for (const DType out : {DType::kFloat32, DType::kBFloat16}) {
        cases.push_back(PoolCase(s, false, false, in, out));
        cases.push_back(PoolCase(s, true, false, in, out));
        cases.push_back(PoolCase(s, true, true, in, out));
      }
    }
  }
  CheckFamily("pool", cases);
}

TEST(PoolKernels, RefuseWhatTheyCannotCompute) {
  KernelCase c = PoolCase({{1, 6, 6, 8}, {3, 3}, {2, 2}, {2, 2}, {1, 1}, {0, 0, 0, 0}}, false, false, DType::kFloat32,
                          DType::kFloat32);
  c.node.attributes["kernel_shape"] = std::vector<int64_t>{2, 2, 2};
  ExpectRefused("pool", c, "3 spatial axes");
  c.node.attributes["kernel_shape"] = std::vector<int64_t>{2, 2};
  c.node.attributes["pads"] = std::vector<int64_t>{0, -1, 0, 0};
  ExpectRefused("pool", c, "padding -1");
}

}  // namespace
}  // namespace tamis::kernel_test
