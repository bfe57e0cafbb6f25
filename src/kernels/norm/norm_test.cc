#include <gtest/gtest.h>

#include <cmath>

#include "src/kernels/reference_case.h"

namespace tamis::kernel_test {
namespace {

// Rows of `columns`: (x - mean) / sqrt(var + epsilon) * scale + bias, or its variants.
KernelCase NormCase(const std::string& op, DType in, DType out, Dims dims, int64_t axis, bool bias) {
  const float epsilon = 1e-3f;
  const bool l2 = op == "L2Normalize", rms = op == "RMSNormalization";
  Dims tail;
  int64_t columns = 1;
  for (size_t i = static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(dims.size()) : axis); i < dims.size();
       ++i) {
    tail.push_back(dims[i]);
    columns *= dims[i];
  }
  KernelCase c;
  c.name = fmt::format("{} {} to {} {} axis {} bias {}", op, Name(in), Name(out), ToString(dims), axis, bias);
  c.node = {op, l2 ? std::string(kTamisDomain) : "", {{"axis", axis}, {"epsilon", epsilon}}};
  c.inputs = {RandomTensor(in, dims, 3, -1, 5)};
  if (!l2) c.inputs.push_back(RandomTensor(DType::kFloat32, tail, 4));
  if (bias) c.inputs.push_back(RandomTensor(DType::kFloat32, tail, 5));
  c.outputs = {{out, dims}};
  const auto x = Doubles(c.inputs[0]);
  const auto scale = l2 ? std::vector<double>() : Doubles(c.inputs[1]);
  const auto shift = bias ? Doubles(c.inputs[2]) : std::vector<double>();
  std::vector<double> y(x.size());
  const auto n = static_cast<size_t>(columns);
  for (size_t row = 0; row < x.size(); row += n) {
    double mean = 0, squares = 0;
    for (size_t i = 0; i < n && !l2 && !rms; ++i) mean += x[row + i] / static_cast<double>(n);
    for (size_t i = 0; i < n; ++i) squares += (x[row + i] - mean) * (x[row + i] - mean);
    const double norm = l2 ? std::max(std::sqrt(squares), static_cast<double>(epsilon))
                           : std::sqrt(squares / static_cast<double>(n) + static_cast<double>(epsilon));
    for (size_t i = 0; i < n; ++i) {
      y[row + i] = (x[row + i] - mean) / norm * (l2 ? 1 : scale[i]) + (bias ? shift[i] : 0);
    }
  }
  c.expected = {y};
  c.absolute = 4e-6 / std::sqrt(static_cast<double>(epsilon));  // a column of one: x - mean is 0 up to rounding
  return c;
}

KernelCase MaskedMeanCase(DType in, DType out, const Tensor& mask, int64_t columns) {
  const int64_t batch = mask.dim(0), rows = mask.dim(1);
  KernelCase c;
  c.name = fmt::format("MaskedMean {} to {} mask {} {} C{}", Name(in), Name(out), Name(mask.dtype()),
                       ToString(mask.dims()), columns);
  c.node = {"MaskedMean", std::string(kTamisDomain), {{"epsilon", 1e-9f}}};
  c.inputs = {RandomTensor(in, {batch, rows, columns}, 9), mask};
  c.outputs = {{out, {batch, columns}}};
  const auto x = Doubles(c.inputs[0]), m = Doubles(mask);
  std::vector<double> y;
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t i = 0; i < columns; ++i) {
      double sum = 0, total = 0;
      for (int64_t s = 0; s < rows; ++s) {
        const double weight = m[static_cast<size_t>(b * rows + s)];
        sum += x[static_cast<size_t>((b * rows + s) * columns + i)] * weight;
        total += weight;
      }
      y.push_back(sum / std::max(total, static_cast<double>(1e-9f)));
    }
  }
  c.expected = {y};
  c.absolute = 1e-6 * static_cast<double>(rows);
  return c;
}

KernelCase GroupNormCase(DType in, DType out, const Dims& dims, int64_t groups, const std::string& activation) {
  const float epsilon = 1e-3f;
  const int64_t channels = dims.back(), width = channels / groups;
  KernelCase c;
  c.name = fmt::format("ChannelsLastGroupNorm {} to {} {} groups {} {}", Name(in), Name(out), ToString(dims), groups,
                       activation);
  c.node = {"ChannelsLastGroupNorm",
            std::string(kTamisDomain),
            {{"num_groups", groups}, {"epsilon", epsilon}, {"activation", activation}}};
  c.inputs = {RandomTensor(in, dims, 11, -1, 5), RandomTensor(DType::kFloat32, {channels}, 12),
              RandomTensor(DType::kFloat32, {channels}, 13)};
  c.outputs = {{out, dims}};
  const auto x = Doubles(c.inputs[0]), scale = Doubles(c.inputs[1]), shift = Doubles(c.inputs[2]);
  std::vector<double> y(x.size());
  const int64_t item = static_cast<int64_t>(x.size()) / dims[0], pixels = item / channels;
  for (int64_t first = 0; first < static_cast<int64_t>(x.size()); first += item) {
    for (int64_t g = 0; g < groups; ++g) {
      const auto each = [&](auto&& visit) {
        for (int64_t p = 0; p < pixels; ++p) {
          for (int64_t i = g * width; i < (g + 1) * width; ++i) visit(static_cast<size_t>(first + p * channels + i), i);
        }
      };
      double mean = 0, variance = 0;
      const auto count = static_cast<double>(pixels * width);
      each([&](size_t at, int64_t) { mean += x[at] / count; });
      each([&](size_t at, int64_t) { variance += (x[at] - mean) * (x[at] - mean) / count; });
      each([&](size_t at, int64_t channel) {
        const double normal = (x[at] - mean) / std::sqrt(variance + static_cast<double>(epsilon));
        const double v = normal * scale[static_cast<size_t>(channel)] + shift[static_cast<size_t>(channel)];
        y[at] = activation == "Silu" ? v / (1 + std::exp(-v)) : v;
      });
    }
  }
  c.expected = {y};
  c.absolute = 1e-5 / std::sqrt(static_cast<double>(epsilon));
  return c;
}

TEST(NormKernels, MatchTheReference) {
  std::vector<KernelCase> cases;
  for (const DType in : {DType::kFloat32, DType::kBFloat16}) {
    for (const DType out : {DType::kFloat32, DType::kBFloat16}) {
      for (const Dims& dims : {Dims{2, 3, 1}, Dims{300, 7}, Dims{5, 17}, Dims{2, 180, 384}, Dims{1, 9, 33}}) {
        cases.push_back(NormCase("LayerNormalization", in, out, dims, -1, true));
        cases.push_back(NormCase("LayerNormalization", in, out, dims, -1, false));
        cases.push_back(NormCase("LayerNormalization", in, out, dims, 1, true));
        cases.push_back(NormCase("RMSNormalization", in, out, dims, -1, false));
        cases.push_back(NormCase("L2Normalize", in, out, dims, -1, false));
      }
      cases.push_back(GroupNormCase(in, out, {2, 5, 7, 12}, 3, ""));
      cases.push_back(GroupNormCase(in, out, {1, 150, 5}, 5, "Silu"));
      cases.push_back(GroupNormCase(in, out, {3, 4, 4, 160}, 8, "Silu"));
      cases.push_back(GroupNormCase(in, out, {1, 1, 64}, 1, ""));
      for (const int64_t columns : {1, 19, 384}) {
        Tensor booleans(DType::kBool, {3, 5}), words(DType::kInt32, {3, 5}), bytes(DType::kInt8, {3, 5});
        for (int64_t i = 0; i < 15; ++i) {
          booleans.Data<bool>()[i] = i % 5 < 3;
          words.Data<int32_t>()[i] = i >= 5 && i % 2 == 0;  // nothing of the first entry
          bytes.Data<int8_t>()[i] = i < 14;
        }
        const Tensor longs = Int64Tensor({1, 4}, {1, 0, 1, 1});
        for (const Tensor& mask : {booleans, words, bytes, longs, RandomTensor(DType::kFloat32, {2, 30}, 1, 0, 1),
                                   RandomTensor(DType::kBFloat16, {2, 30}, 1, 0, 1)}) {
          cases.push_back(MaskedMeanCase(in, out, mask, columns));
        }
      }
    }
  }
  for (const Dims& dims : {Dims{2, 6, 5, 7}, Dims{1, 6, 20000}, Dims{3, 6, 1}}) {
    const Tensor x = RandomTensor(DType::kFloat32, dims, 21, 3, 5);
    const auto parameter = [](int64_t count, uint64_t seed) {
      return RandomTensor(DType::kFloat32, {count}, seed, 0.5, 2);
    };
    const double absolute = 4e-6;  // a few roundings of a mean of 4, scaled by up to 2 / 0.58
    cases.push_back(
        ReferenceCase({"InstanceNormalization", "", {}}, {x, parameter(6, 1), parameter(6, 2)}, {}, 1, absolute));
    cases.push_back(ReferenceCase({"GroupNormalization", "", {{"num_groups", int64_t{3}}}},
                                  {x, parameter(6, 1), parameter(6, 2)}, {}, 1, absolute));
    cases.push_back(ReferenceCase({"GroupNormalization", "", {{"num_groups", int64_t{2}}}},
                                  {x, parameter(2, 1), parameter(2, 2)}, {}, 1, absolute, 18));
    cases.push_back(ReferenceCase({"BatchNormalization", "", {{"epsilon", 0.01f}}},
                                  {x, parameter(6, 1), parameter(6, 2), parameter(6, 3), parameter(6, 4)}, {}, 1,
                                  absolute));
  }
  for (const std::vector<int64_t>& axes : {std::vector<int64_t>{0, 2, 3}, {2, 3}, {-1}, {0, 1}, {0, 1, 2, 3}}) {
    cases.push_back(ReferenceCase({"MeanVarianceNormalization", "", {{"axes", axes}}},
                                  {RandomTensor(DType::kFloat32, {3, 4, 9, 31}, 93, 5, 9)}, {}, 1, 2e-5));
  }
  for (const DType out : {DType::kUInt8, DType::kInt8}) {
    for (const Dims& dims : {Dims{2, 3, 1}, Dims{300, 7}, Dims{5, 17}, Dims{2, 80, 384}, Dims{1, 9, 1100}}) {
      const Dims columns = {dims.back()};
      for (const bool bias : {false, true}) {
        std::vector<Tensor> inputs = {RandomTensor(DType::kFloat32, dims, 94, 3, 5),
                                      RandomTensor(DType::kFloat32, columns, 95)};
        if (bias) inputs.push_back(RandomTensor(DType::kFloat32, columns, 96));
        // A number at a tie may be the neighbour.
        cases.push_back(ReferenceCase({"QuantizedLayerNorm",
                                       std::string(kTamisDomain),
                                       {{"axis", int64_t{-1}},
                                        {"epsilon", 1e-3f},
                                        {"y_dtype", static_cast<int64_t>(out)},
                                        {"y_scale", 0.03f},
                                        {"y_zero_point", int64_t{out == DType::kUInt8 ? 117 : -9}}}},
                                      std::move(inputs), {}, 1, 1, 1));
      }
    }
  }
  for (const int64_t size : {1, 3, 4, 5, 40}) {
    for (const Dims& dims : {Dims{2, 9, 13, 13}, Dims{1, 20, 300}, Dims{3, 7}}) {
      for (const float beta : {0.75f, 0.5f}) {
        cases.push_back(ReferenceCase({"LRN", "", {{"size", size}, {"alpha", 0.3f}, {"beta", beta}, {"bias", 2.0f}}},
                                      {RandomTensor(DType::kFloat32, dims, 90, -5, 5)}, {}, 1, 1e-5));
      }
    }
  }
  for (const int64_t axis : {0, 1, 2}) {
    Tensor x = RandomTensor(DType::kFloat32, {6, 70, 133}, 91);
    std::fill_n(x.Data<float>(), 133, 0.0f);
    for (const int64_t p : {1, 2}) {
      cases.push_back(ReferenceCase({"LpNormalization", "", {{"axis", axis}, {"p", p}}}, {x}, {}, 1, 1e-5));
    }
    const Tensor ties = Converted(RandomIndices(DType::kInt64, {6, 70, 133}, 92, -9, 9), DType::kFloat32);
    cases.push_back(ReferenceCase({"Hardmax", "", {{"axis", axis}}}, {ties}));
  }
  CheckFamily("norm", cases);
}

TEST(NormKernels, RefuseWhatTheyCannotCompute) {
  KernelCase c = NormCase("LayerNormalization", DType::kFloat32, DType::kFloat32, {4, 6}, -1, true);
  c.inputs[1] = RandomTensor(DType::kFloat32, {1}, 1);
  ExpectRefused("norm", c, "one element for each of 6 columns");
  c = NormCase("LayerNormalization", DType::kFloat32, DType::kFloat32, {4, 6}, -1, true);
  c.outputs.push_back({DType::kFloat32, {4, 1}});
  ExpectRefused("norm", c, "output 1 is not supported");
  c = GroupNormCase(DType::kFloat32, DType::kFloat32, {2, 3, 6}, 3, "");
  c.node.attributes["num_groups"] = int64_t{4};
  ExpectRefused("norm", c, "4 groups don't divide 6 channels");
}

}  // namespace
}  // namespace tamis::kernel_test
