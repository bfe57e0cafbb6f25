#include <gtest/gtest.h>

#include "src/kernels/family_test.h"
#include "src/ops/op_tamis.h"

namespace tamis::kernel_test {
namespace {

struct ConvShape {
  int64_t batch, height, width, channels, taps_y, taps_x, stride, pad_begin, pad_end, dilation;
};

KernelCase DepthwiseCase(const ConvShape& s, DType in, DType weight, DType out, const std::string& activation,
                         bool bias, bool residual, bool one_dimension = false) {
  const auto out_size = [&](int64_t size, int64_t taps) {
    return (size + s.pad_begin + s.pad_end - (taps - 1) * s.dilation - 1) / s.stride + 1;
  };
  const int64_t pad_top = one_dimension ? 0 : s.pad_begin;
  const int64_t rows = one_dimension ? 1 : out_size(s.height, s.taps_y), columns = out_size(s.width, s.taps_x);
  KernelCase c;
  c.name = fmt::format("depthwise {} {} to {} [{}, {}, {}, {}] {}x{}/{} pads {},{} dilation {} {} bias {} residual {}",
                       Name(in), Name(weight), Name(out), s.batch, s.height, s.width, s.channels, s.taps_y, s.taps_x,
                       s.stride, s.pad_begin, s.pad_end, s.dilation, activation, bias, residual);
  using Ints = std::vector<int64_t>;
  c.node = {"ChannelsLastConv", std::string(kTamisDomain), {{"group", s.channels}, {"activation", activation}}};
  c.node.attributes["clip_min"] = 0.0f;
  c.node.attributes["clip_max"] = 6.0f;
  c.node.attributes["alpha"] = 0.3f;
  c.node.attributes["beta"] = 0.4f;
  const size_t spatial = one_dimension ? 1 : 2;
  c.node.attributes["strides"] = Ints(spatial, s.stride);
  c.node.attributes["dilations"] = Ints(spatial, s.dilation);
  c.node.attributes["pads"] =
      one_dimension ? Ints{s.pad_begin, s.pad_end} : Ints{s.pad_begin, s.pad_begin, s.pad_end, s.pad_end};
  const auto dims = [&](int64_t first, int64_t h, int64_t w, int64_t last) {
    return one_dimension ? Dims{first, w, last} : Dims{first, h, w, last};
  };
  const Dims out_dims = dims(s.batch, rows, columns, s.channels);
  c.inputs = {RandomTensor(in, dims(s.batch, s.height, s.width, s.channels), 1),
              RandomTensor(weight, dims(s.channels, s.taps_y, s.taps_x, 1), 2),
              bias ? RandomTensor(DType::kFloat32, {s.channels}, 3) : Tensor(),
              residual ? RandomTensor(in, out_dims, 4) : Tensor()};
  c.constants = {1};
  c.outputs = {{out, out_dims}};
  const auto x = Doubles(c.inputs[0]), w = Doubles(c.inputs[1]);
  const auto shift = bias ? Doubles(c.inputs[2]) : std::vector<double>();
  const auto added = residual ? Doubles(c.inputs[3]) : std::vector<double>();
  Epilogue epilogue;
  epilogue.activation = *ActivationFromName(activation);
  epilogue.clip_max = 6;
  epilogue.alpha = 0.3f;
  epilogue.beta = 0.4f;
  c.expected = {{}};
  for (int64_t b = 0; b < s.batch; ++b) {
    for (int64_t i = 0; i < rows * columns; ++i) {
      for (int64_t channel = 0; channel < s.channels; ++channel) {
        double sum = bias ? shift[static_cast<size_t>(channel)] : 0;
        for (int64_t r = 0; r < s.taps_y; ++r) {
          for (int64_t t = 0; t < s.taps_x; ++t) {
            const int64_t row = i / columns * s.stride - pad_top + r * s.dilation;
            const int64_t column = i % columns * s.stride - s.pad_begin + t * s.dilation;
            if (row < 0 || row >= s.height || column < 0 || column >= s.width) continue;
            sum += x[static_cast<size_t>(((b * s.height + row) * s.width + column) * s.channels + channel)] *
                   w[static_cast<size_t>((channel * s.taps_y + r) * s.taps_x + t)];
          }
        }
        if (residual) sum += added[c.expected[0].size()];
        c.expected[0].push_back(Apply(epilogue, sum));
      }
    }
  }
  c.absolute = 1e-6 * static_cast<double>(4 * s.taps_y * s.taps_x);
  return c;
}

TEST(DepthwiseKernels, MatchTheReference) {
  std::vector<KernelCase> cases;
  const DType f32 = DType::kFloat32, bf16 = DType::kBFloat16;
  const std::vector<ConvShape> shapes = {
      {1, 12, 14, 32, 3, 3, 1, 1, 1, 1}, {2, 11, 9, 35, 3, 3, 2, 1, 1, 1},   {1, 7, 7, 100, 5, 5, 1, 2, 2, 1},
      {1, 8, 10, 17, 5, 5, 2, 1, 2, 1},  {1, 9, 13, 3, 3, 3, 1, 2, 2, 2},    {1, 1, 1, 5, 3, 3, 1, 1, 1, 1},
      {1, 2, 3, 64, 3, 5, 1, 4, 4, 1},   {1, 30, 31, 96, 3, 3, 2, 0, 1, 1},  {1, 7, 7, 48, 7, 7, 1, 3, 3, 1},
      {2, 15, 17, 21, 7, 7, 2, 3, 3, 1}, {1, 8, 9, 33, 9, 9, 1, 4, 4, 1},    {1, 17, 16, 20, 9, 9, 2, 3, 4, 1},
      {1, 7, 24, 16, 1, 11, 1, 5, 5, 1}, {1, 14, 15, 37, 11, 11, 2, 5, 5, 1}};
  for (const ConvShape& s : shapes) {
    for (const DType in : {f32, bf16}) {
      for (const DType out : {f32, bf16}) {
        cases.push_back(DepthwiseCase(s, in, f32, out, "Clip", true, false));
        cases.push_back(DepthwiseCase(s, in, bf16, out, "", false, true));
      }
    }
  }
  for (const char* activation : {"Relu", "Gelu", "GeluTanh", "Silu", "HardSwish", "Sigmoid", "Tanh", "LeakyRelu", "Elu",
                                 "HardSigmoid", "Swish", "Mish"}) {
    cases.push_back(DepthwiseCase(shapes[0], f32, f32, f32, activation, true, true));
  }
  cases.push_back(DepthwiseCase({2, 1, 40, 19, 1, 7, 1, 3, 3, 1}, f32, f32, f32, "Relu", true, false, true));
  CheckFamily("depthwise", cases);
}

TEST(DepthwiseKernels, RefuseWhatTheyCannotCompute) {
  KernelCase c = DepthwiseCase({1, 4, 4, 8, 3, 3, 1, 1, 1, 1}, DType::kFloat32, DType::kFloat32, DType::kFloat32, "",
                               false, false);
  c.node.attributes["group"] = int64_t{4};
  ExpectRefused("depthwise", c, "one filter per channel");
  c.node.attributes["group"] = int64_t{8};
  c.constants = {};
  ExpectRefused("depthwise", c, "not constant");
  c.constants = {1};
  c.outputs[0].second = {1, 9, 4, 8};
  ExpectRefused("depthwise", c, "outside the padded input");
}

}  // namespace
}  // namespace tamis::kernel_test
