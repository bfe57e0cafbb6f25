#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "src/kernels/reference_case.h"

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
  const size_t lacks = 3 - s.taps.size();  // axes that the image doesn't have, of z, y and x
  const auto axis = [&](const auto& values, size_t offset, size_t i, int64_t missing) {
    return i < lacks ? missing : static_cast<int64_t>(values[offset + i - lacks]);
  };
  const int64_t channels = s.x.back();
  c.expected = {{}};
  for (int64_t i = 0; i < NumElements(dims); ++i) {
    int64_t rest = i / channels, at[3];
    for (size_t a = 3; a-- > 0;) {
      at[a] = rest % axis(s.out, 0, a, 1);
      rest /= axis(s.out, 0, a, 1);
    }
    double sum = 0, top = -std::numeric_limits<double>::infinity(), count = 0;
    const int64_t taps[3] = {axis(s.taps, 0, 0, 1), axis(s.taps, 0, 1, 1), axis(s.taps, 0, 2, 1)};
    for (int64_t tap = 0; tap < taps[0] * taps[1] * taps[2]; ++tap) {
      const int64_t tap_at[3] = {tap / taps[2] / taps[1], tap / taps[2] % taps[1], tap % taps[2]};
      bool inside = true, padded = true;
      int64_t position = rest;  // the image in the batch, then each axis
      for (size_t a = 0; a < 3; ++a) {
        const int64_t size = axis(s.x, 1, a, 1);
        const int64_t p =
            at[a] * axis(s.strides, 0, a, 1) - axis(s.pads, 0, a, 0) + tap_at[a] * axis(s.dilations, 0, a, 1);
        inside = inside && p >= 0 && p < size;
        padded = padded && p < size + axis(s.pads, s.taps.size(), a, 0);
        position = position * size + p;
      }
      if (inside || (count_padding && padded)) count += 1;
      if (!inside) continue;
      const double value = x[static_cast<size_t>(position * channels + i % channels)];
      sum += value;
      top = std::max(top, value);
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
      {{2, 5, 6, 7, 18}, {3, 3, 4}, {3, 2, 3}, {2, 2, 2}, {1, 1, 1}, {1, 0, 1, 1, 0, 1}},
      {{1, 6, 5, 5, 8}, {4, 3, 3}, {2, 2, 2}, {1, 1, 1}, {2, 2, 2}, {0, 0, 0, 0, 0, 0}},
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
  using Ints = std::vector<int64_t>;
  const std::map<std::string, Attribute> windows[] = {
      {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}},
      {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 1}}, {"pads", Ints{1, 1, 1, 1}}, {"dilations", Ints{1, 2}}},
      {{"kernel_shape", Ints{3, 2}}, {"strides", Ints{3, 2}}, {"ceil_mode", int64_t{1}}},
      {{"kernel_shape", Ints{4, 4}}, {"auto_pad", std::string("SAME_LOWER")}, {"strides", Ints{2, 3}}}};
  for (const auto& attributes : windows) {
    Tensor image = Converted(RandomIndices(DType::kInt64, {2, 3, 17, 19}, 61, -90, 90), DType::kFloat32);
    image.Data<float>()[40] = std::nanf("");
    for (const int64_t order : {0, 1}) {
      auto with_order = attributes;
      with_order["storage_order"] = order;
      cases.push_back(ReferenceCase({"MaxPool", "", with_order}, {image}, {}, 2));
    }
    for (const DType dtype : {DType::kInt8, DType::kUInt8, DType::kFloat64, DType::kFloat32}) {
      const Tensor bytes = Converted(RandomIndices(DType::kInt64, {2, 3, 17, 19}, 62, 0, 90), dtype);
      cases.push_back(ReferenceCase({"MaxPool", "", attributes}, {bytes}));
    }
    for (const int64_t count : {0, 1}) {
      auto average = attributes;
      average["count_include_pad"] = count;
      for (const Dims& dims : {Dims{2, 3, 17, 19}, {1, 2, 40, 70}}) {
        cases.push_back(
            ReferenceCase({"AveragePool", "", average}, {RandomTensor(DType::kFloat32, dims, 65)}, {}, 1, 1e-5));
      }
    }
    for (const int64_t p : {1, 2, 3}) {
      auto norm = attributes;
      norm["p"] = p;
      cases.push_back(
          ReferenceCase({"LpPool", "", norm}, {RandomTensor(DType::kFloat32, {2, 3, 17, 19}, 63)}, {}, 1, 1e-5));
    }
  }
  cases.push_back(ReferenceCase({"MaxPool", "", {{"kernel_shape", Ints{2, 2, 2}}, {"strides", Ints{1, 2, 1}}}},
                                {RandomTensor(DType::kFloat32, {1, 2, 4, 5, 6}, 64)}, {}, 2));
  for (const char* op : {"MaxPool", "AveragePool"}) {
    const std::map<std::string, Attribute> deep = {{"kernel_shape", Ints{3, 7, 4}},
                                                   {"pads", Ints{1, 3, 1, 1, 3, 2}},
                                                   {"strides", Ints{2, 1, 1}}};  // 21 rows a window
    cases.push_back(ReferenceCase({op, "", deep}, {RandomTensor(DType::kFloat32, {1, 2, 7, 9, 37}, 66)}, {}, 1, 1e-5));
    cases.push_back(ReferenceCase({op, "", {{"kernel_shape", Ints{5}}, {"pads", Ints{2, 2}}}},
                                  {RandomTensor(DType::kFloat32, {2, 3, 50}, 67)}, {}, 1, 1e-5));
  }
  CheckFamily("pool", cases);
}

TEST(PoolKernels, RefuseWhatTheyCannotCompute) {
  KernelCase c = PoolCase({{1, 6, 6, 8}, {3, 3}, {2, 2}, {2, 2}, {1, 1}, {0, 0, 0, 0}}, false, false, DType::kFloat32,
                          DType::kFloat32);
  c.node.attributes["kernel_shape"] = std::vector<int64_t>{2, 2, 2, 2};
  ExpectRefused("pool", c, "4 spatial axes");
  c.node.attributes["kernel_shape"] = std::vector<int64_t>{2, 2};
  c.node.attributes["pads"] = std::vector<int64_t>{0, -1, 0, 0};
  ExpectRefused("pool", c, "padding -1");
}

}  // namespace
}  // namespace tamis::kernel_test
