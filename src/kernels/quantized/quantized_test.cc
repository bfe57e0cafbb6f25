// int8 products against their operators' references: f32 results to the last bits, quantised ones to one step, because
// a value on the edge between two codes may fall to either side.
#include <gtest/gtest.h>

#include <random>

#include "src/kernels/family_test.h"
#include "src/kernels/quantized/depthwise_int8.h"
#include "src/kernels/quantized/int8_panel.h"
#include "src/kernels/quantized/packed_int8.h"
#include "src/ops/op_def.h"

namespace tamis::kernel_test {
namespace {

Tensor Codes(DType dtype, Dims dims, uint32_t seed) {
  Tensor tensor(dtype, std::move(dims));
  std::mt19937 generator(seed);
  for (size_t i = 0; i < tensor.NumBytes(); ++i) tensor.raw()[i] = static_cast<std::byte>(generator() >> 24);
  return tensor;
}

// Zeroes two elements of each group of four along the last axis, or what a shorter last group has over two.
void MakeTwoFour(Tensor& weight, uint32_t seed) {
  std::mt19937 generator(seed);
  const int64_t columns = weight.dim(-1);
  for (int64_t row = 0; row < weight.NumElements() / columns; ++row) {
    for (int64_t begin = 0; begin < columns; begin += 4) {
      const int64_t size = std::min<int64_t>(4, columns - begin);
      int8_t* group = weight.Data<int8_t>() + row * columns + begin;
      const int64_t first = static_cast<int64_t>(generator() % 4);
      for (int64_t i = 0; i + 2 < size; ++i) group[(first + i) % size] = 0;
    }
  }
}

// Rows i and 31 - i of every 32 keep the same positions.
void MakePaired(Tensor& weight) {
  const int64_t rows = weight.dim(0), columns = weight.NumElements() / rows;
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t first = row / 32 * 32, some = std::min<int64_t>(32, rows - first);
    const int8_t* from = weight.Data<int8_t>() + row * columns;
    int8_t* to = weight.Data<int8_t>() + (first + some - 1 - (row - first)) * columns;
    if (to <= from) continue;
    for (int64_t k = 0; k < columns; ++k) to[k] = from[k] == 0 ? int8_t{0} : static_cast<int8_t>((row + k) % 17 - 8);
  }
}

KernelCase MakeCase(const std::string& op, std::vector<Tensor> inputs, std::map<std::string, Attribute> attributes,
                    Pattern pattern = Pattern::kDense, bool paired = false) {
  if (pattern != Pattern::kDense) MakeTwoFour(inputs[1], 12);
  if (paired) MakePaired(inputs[1]);
  Node node;
  node.op = op;
  if (op != "QuantizeLinear" && op != "DequantizeLinear") node.domain = std::string(kTamisDomain);
  node.attributes = attributes;
  KernelCase c;
  c.node = {op, node.domain, attributes};
  c.inputs = std::move(inputs);
  c.constants = {1, 2};
  c.weight = pattern;
  if (c.inputs.size() < 3) c.constants.clear();
  c.name = fmt::format("{} {}", Name(pattern), op);
  for (const Tensor& input : c.inputs) c.name += fmt::format(" {}{}", Name(input.dtype()), ToString(input.dims()));
  c.name += node.Has("y_dtype") ? " to codes" : " to float32";
  std::vector<const Tensor*> operands;
  for (const Tensor& input : c.inputs) {
    node.inputs.push_back(static_cast<ValueId>(operands.size()));
    operands.push_back(&input);
  }
  node.outputs = {0};
  const auto outputs = EvaluateNode(node, node.domain.empty() ? 17 : 1, operands);
  EXPECT_TRUE(outputs.ok()) << outputs.status().message();
  if (!outputs.ok()) return c;
  c.outputs = {{(*outputs)[0].dtype(), (*outputs)[0].dims()}};
  c.expected = {Doubles((*outputs)[0])};
  // The sums are exact; scale and bias are applied in f32, and a dynamic scale may move a code on the edge by one step.
  c.absolute = node.Has("y_dtype") ? 1 : op == "DynamicQuantizedLinear" ? 0.05 : 1e-4;
  c.relative = 1e-5;
  return c;
}

std::map<std::string, Attribute> Requantised(std::map<std::string, Attribute> attributes, DType dtype) {
  attributes["y_dtype"] = static_cast<int64_t>(dtype);
  attributes["y_scale"] = 0.07f;
  attributes["y_zero_point"] = int64_t{dtype == DType::kUInt8 ? 100 : -5};
  return attributes;
}

Tensor Scales(int64_t count, uint64_t seed) {
  return RandomTensor(DType::kFloat32, {count}, seed, 1e-5, 1e-3);
}

// What stands between the products.
void AddCasesBetween(std::vector<KernelCase>* cases) {
  std::map<std::string, Attribute> scales = {{"a_scale", 0.02f},
                                             {"a_zero_point", int64_t{130}},
                                             {"b_scale", 0.03f},
                                             {"b_zero_point", int64_t{-4}},
                                             {"function", std::string("Add")}};
  const std::vector<std::pair<Dims, Dims>> shapes = {
      {{2, 5, 7, 33}, {2, 5, 7, 33}}, {{2, 5, 7, 33}, {2, 1, 1, 33}}, {{1, 3, 1}, {1, 3, 700}}, {{4, 600}, {1}}};
  for (const auto& [a, b] : shapes) {
    for (const char* function : {"Add", "Mul"}) {
      scales["function"] = std::string(function);
      for (const char* activation : {"", "Relu", "HardSwish"}) {
        auto attributes = scales;
        attributes["activation"] = std::string(activation);
        const Tensor left = Codes(DType::kUInt8, a, 21), right = Codes(DType::kInt8, b, 22);
        const Tensor numbers = RandomTensor(DType::kFloat32, b, 23);
        cases->push_back(MakeCase("QuantizedBinary", {left, right}, Requantised(attributes, DType::kUInt8)));
        cases->push_back(MakeCase("QuantizedBinary", {left, numbers}, Requantised(attributes, DType::kInt8)));
        cases->push_back(MakeCase("QuantizedBinary", {numbers, right}, attributes));
      }
    }
  }
  for (const DType x : {DType::kUInt8, DType::kInt8}) {
    std::map<std::string, Attribute> pool = {{"x_scale", 0.03f}, {"x_zero_point", int64_t{11}}};
    cases->push_back(MakeCase("QuantizedGlobalAveragePool", {Codes(x, {3, 9, 8, 150}, 24)}, pool));
    cases->push_back(
        MakeCase("QuantizedGlobalAveragePool", {Codes(x, {1, 5, 7}, 25)}, Requantised(pool, DType::kInt8)));
    const std::map<std::string, Attribute> window = {
        {"kernel_shape", Dims{3, 3}}, {"strides", Dims{2, 2}}, {"pads", Dims{1, 1, 1, 1}}};
    // Channels: one vector and the end of another, less than one of any width, several.
    for (const int64_t channels : {70, 13, 256}) {
      cases->push_back(MakeCase("ChannelsLastMaxPool", {Codes(x, {2, 9, 8, channels}, 26)}, window));
    }
    const std::map<std::string, Attribute> dilated = {
        {"kernel_shape", Dims{2, 3}}, {"dilations", Dims{2, 2}}, {"strides", Dims{1, 3}}, {"pads", Dims{0, 2, 1, 1}}};
    cases->push_back(MakeCase("ChannelsLastMaxPool", {Codes(x, {1, 7, 11, 64}, 30)}, dilated));
    const std::map<std::string, Attribute> deep = {
        {"kernel_shape", Dims{2, 2, 2}}, {"strides", Dims{2, 1, 2}}, {"pads", Dims{0, 1, 0, 0, 0, 0}}};
    cases->push_back(MakeCase("ChannelsLastMaxPool", {Codes(x, {2, 4, 5, 6, 33}, 31)}, deep));
    std::vector<int64_t> table;
    for (int64_t i = 0; i < 256; ++i) table.push_back(i * 37 % 256 - 128);
    auto lookup = Requantised({{"table", table}}, DType::kInt8);
    cases->push_back(MakeCase("QuantizedLookup", {Codes(x, {3, 1000}, 27)}, lookup));
  }
  for (const DType dtype : {DType::kUInt8, DType::kInt8}) {
    Tensor zero(dtype, {});
    zero.raw()[0] = std::byte{9};
    const Tensor scale = Tensor::Float(0.0371f);
    for (const bool quantize : {true, false}) {
      const Tensor x = quantize ? RandomTensor(DType::kFloat32, {7, 613}, 28, -6, 6) : Codes(dtype, {7, 613}, 29);
      KernelCase c = MakeCase(quantize ? "QuantizeLinear" : "DequantizeLinear", {x, scale, zero}, {});
      c.absolute = quantize ? 0 : 1e-6;
      cases->push_back(std::move(c));
    }
  }
}

// Exchanges neighbouring codes: where a kernel is one step off, so is the result.
std::vector<int64_t> SteadyTable(DType dtype) {
  std::vector<int64_t> table;
  for (int64_t byte = 0; byte < 256; ++byte) {
    const int64_t code = dtype == DType::kUInt8 || byte < 128 ? byte : byte - 256;
    table.push_back(dtype == DType::kUInt8 ? 255 - std::max<int64_t>(code, 90) : std::min<int64_t>(-code, 127));
  }
  return table;
}

// What a Clip between two quantisations leaves, the first of Requantised's zero point: a line (affine_table.h), so flat
// that one step off before it is no more behind it.
std::vector<int64_t> LineTable(DType dtype) {
  const bool is_unsigned = dtype == DType::kUInt8;
  const int64_t zero = is_unsigned ? 100 : -5, offset = is_unsigned ? 5 : -60;
  std::vector<int64_t> table;
  for (int64_t byte = 0; byte < 256; ++byte) {
    const int64_t code = is_unsigned || byte < 128 ? byte : byte - 256;
    const auto number = static_cast<int64_t>(std::nearbyint(0.83 * static_cast<double>(code - zero)));
    table.push_back(std::clamp<int64_t>(number, 0, 90) + offset);
  }
  return table;
}

std::vector<KernelCase> Cases(Pattern pattern, bool paired = false) {
  std::vector<KernelCase> cases;
  if (pattern == Pattern::kDense) AddCasesBetween(&cases);
  const std::map<std::string, Attribute> relu = {{"activation", std::string("Relu")}};
  for (const auto& [rows, n, k] : std::vector<std::array<int64_t, 3>>{
           {1, 7, 20}, {5, 64, 128}, {70, 33, 65}, {130, 96, 256}, {2, 300, 40}, {1, 1, 1}}) {
    for (const DType x : {DType::kUInt8, DType::kInt8}) {
      const int64_t zero = x == DType::kUInt8 ? 117 : -9;
      const Tensor codes = Codes(x, {rows, k}, 1), weight = Codes(DType::kInt8, {n, k}, 2);
      const Tensor bias = RandomTensor(DType::kFloat32, {n}, 4);
      cases.push_back(
          MakeCase("QuantizedLinear", {codes, weight, Scales(n, 3), bias}, {{"x_zero_point", zero}}, pattern, paired));
      auto attributes = relu;
      attributes["x_zero_point"] = zero;
      cases.push_back(MakeCase("QuantizedLinear", {codes, weight, Scales(n, 3)}, Requantised(attributes, DType::kUInt8),
                               pattern, paired));
      attributes["activation"] = std::string("Gelu");
      cases.push_back(MakeCase("QuantizedLinear", {codes, weight, Scales(n, 3), bias},
                               Requantised(attributes, DType::kInt8), pattern, paired));
    }
    for (const DType residual : {DType::kUInt8, DType::kInt8, DType::kFloat32}) {
      std::map<std::string, Attribute> attributes = {
          {"x_zero_point", int64_t{3}}, {"residual_scale", 0.05f}, {"residual_zero_point", int64_t{77}}};
      const Tensor third =
          residual == DType::kFloat32 ? RandomTensor(residual, {rows, n}, 12) : Codes(residual, {rows, n}, 13);
      const std::vector<Tensor> inputs = {Codes(DType::kUInt8, {rows, k}, 1), Codes(DType::kInt8, {n, k}, 2),
                                          Scales(n, 3), RandomTensor(DType::kFloat32, {n}, 4), third};
      cases.push_back(MakeCase("QuantizedLinear", inputs, attributes, pattern, paired));
      for (const char* activation : {"", "Relu", "Gelu", "Clip"}) {
        attributes["activation"] = std::string(activation);
        attributes["clip_min"] = -0.4f;
        attributes["clip_max"] = 1.7f;
        cases.push_back(MakeCase("QuantizedLinear", inputs, Requantised(attributes, DType::kUInt8), pattern, paired));
      }
    }
    for (const DType y : {DType::kUInt8, DType::kInt8}) {
      for (const char* activation : {"", "Relu", "Silu", "Gelu"}) {
        const std::vector<Tensor> inputs = {Codes(DType::kUInt8, {rows, k}, 1), Codes(DType::kInt8, {n, k}, 2),
                                            Scales(n, 3), RandomTensor(DType::kFloat32, {n}, 4)};
        for (const auto& table : {SteadyTable(y), LineTable(y)}) {
          auto attributes = Requantised({{"activation", std::string(activation)}, {"table", table}}, y);
          cases.push_back(MakeCase("QuantizedLinear", inputs, attributes, pattern, paired));
        }
      }
    }
    // Sums so large that they are no integers any more once they are scaled: the highest code or the lowest.
    const Tensor far = RandomTensor(DType::kFloat32, {n}, 15, 1e6, 1e8);
    for (const DType y : {DType::kUInt8, DType::kInt8}) {
      cases.push_back(MakeCase("QuantizedLinear",
                               {Codes(DType::kUInt8, {rows, k}, 1), Codes(DType::kInt8, {n, k}, 2), far},
                               Requantised({}, y), pattern, paired));
      cases.push_back(MakeCase("QuantizedLinear",
                               {Codes(DType::kUInt8, {rows, k}, 1), Codes(DType::kInt8, {n, k}, 2), far},
                               Requantised({{"activation", std::string("Gelu")}}, y), pattern, paired));
      cases.push_back(MakeCase("QuantizedLinear",
                               {Codes(DType::kUInt8, {rows, k}, 1), Codes(DType::kInt8, {n, k}, 2), far},
                               Requantised({{"table", LineTable(y)}}, y), pattern, paired));
    }
    const Tensor x = RandomTensor(DType::kFloat32, {rows, k}, 5, -3, 1);
    cases.push_back(
        MakeCase("DynamicQuantizedLinear", {x, Codes(DType::kInt8, {n, k}, 6), Scales(n, 7)}, relu, pattern, paired));
  }
  const auto window = [](Dims strides, Dims pads, Dims dilations, int64_t group, int64_t zero) {
    return std::map<std::string, Attribute>{{"strides", std::move(strides)},
                                            {"pads", std::move(pads)},
                                            {"dilations", std::move(dilations)},
                                            {"group", group},
                                            {"x_zero_point", zero}};
  };
  for (const DType x : {DType::kUInt8, DType::kInt8}) {
    const int64_t zero = x == DType::kUInt8 ? 120 : -7;
    const auto conv = [&](Dims in, Dims weight, std::map<std::string, Attribute> attributes) {
      const int64_t n = weight[0];
      const Tensor codes = Codes(x, std::move(in), 8), w = Codes(DType::kInt8, std::move(weight), 9);
      const Tensor bias = RandomTensor(DType::kFloat32, {n}, 10);
      cases.push_back(MakeCase("QuantizedConv", {codes, w, Scales(n, 11), bias}, attributes, pattern, paired));
      attributes["activation"] = std::string("Relu");
      cases.push_back(MakeCase("QuantizedConv", {codes, w, Scales(n, 11)}, Requantised(attributes, DType::kUInt8),
                               pattern, paired));
      cases.push_back(MakeCase("QuantizedConv", {codes, w, Scales(n, 11), bias}, Requantised(attributes, DType::kInt8),
                               pattern, paired));
      attributes["residual_scale"] = 0.04f;
      attributes["residual_zero_point"] = int64_t{120};
      const Tensor residual = Codes(DType::kUInt8, cases.back().outputs[0].second, 14);
      cases.push_back(MakeCase("QuantizedConv", {codes, w, Scales(n, 11), bias, residual},
                               Requantised(attributes, DType::kUInt8), pattern, paired));
      for (const auto& table : {SteadyTable(DType::kUInt8), LineTable(DType::kUInt8)}) {
        attributes["table"] = table;
        cases.push_back(MakeCase("QuantizedConv", {codes, w, Scales(n, 11), bias, residual},
                                 Requantised(attributes, DType::kUInt8), pattern, paired));
      }
      attributes.erase("table");
      attributes["activation"] = std::string("HardSwish");
      cases.push_back(MakeCase("QuantizedConv", {codes, w, Scales(n, 11), bias, residual},
                               Requantised(attributes, DType::kInt8), pattern, paired));
      attributes["activation"] = std::string("Sigmoid");
      cases.push_back(MakeCase("QuantizedConv", {codes, w, Scales(n, 11)}, Requantised(attributes, DType::kUInt8),
                               pattern, paired));
    };
    conv({2, 9, 7, 16}, {24, 3, 3, 16}, window({2, 1}, {1, 1, 1, 1}, {1, 1}, 1, zero));
    conv({1, 8, 8, 32}, {48, 1, 1, 32}, window({1, 1}, {0, 0, 0, 0}, {1, 1}, 1, zero));
    // One tap and few pixels, which are no rows of one line: strides with padding, or with one pixel an image.
    conv({2, 3, 3, 16}, {40, 1, 1, 16}, window({2, 2}, {1, 1, 1, 1}, {1, 1}, 1, zero));
    conv({7, 1, 1, 144}, {40, 1, 1, 144}, window({2, 2}, {0, 0, 0, 0}, {1, 1}, 1, zero));
    conv({1, 10, 11, 16}, {16, 3, 3, 1}, window({1, 1}, {0, 1, 2, 0}, {1, 2}, 16, zero));
    conv({1, 9, 8, 24}, {40, 3, 3, 12}, window({2, 2}, {1, 1, 1, 1}, {1, 1}, 2, zero));
    conv({2, 3, 8, 7, 8}, {9, 2, 3, 3, 8}, window({1, 2, 1}, {0, 1, 2, 1, 1, 0}, {1, 1, 2}, 1, zero));
    conv({2, 13, 6}, {4, 4, 3}, window({3}, {2, 1}, {1}, 2, zero));
    // Lines whose windows meet one row of the image, the others' in the padding; and none.
    conv({2, 3, 5, 16}, {40, 5, 3, 16}, window({1, 1}, {4, 1, 4, 1}, {1, 1}, 1, zero));
    conv({1, 4, 6, 8}, {32, 3, 3, 8}, window({2, 1}, {4, 2, 6, 2}, {2, 2}, 1, zero));
    conv({1, 2, 4, 8}, {16, 2, 2, 8}, window({1, 1}, {3, 1, 4, 1}, {1, 1}, 1, zero));
    // Groups that oneDNN would compute by gemm.
    conv({1, 5, 5, 12}, {96, 3, 3, 6}, window({1, 1}, {1, 1, 1, 1}, {1, 1}, 2, zero));
    conv({1, 6, 5, 64}, {8, 1, 1, 8}, window({1, 1}, {0, 0, 0, 0}, {1, 1}, 8, zero));
    conv({1, 20, 20, 3}, {16, 7, 7, 3}, window({2, 2}, {3, 3, 3, 3}, {1, 1}, 1, zero));
    // Tiles that end in the image, behind it and in padding alone; more of them than a block has; channels beside
    // pairs.
    conv({2, 9, 7, 16}, {40, 3, 3, 16}, window({1, 1}, {1, 1, 1, 1}, {1, 1}, 1, zero));
    conv({1, 12, 13, 19}, {33, 3, 3, 19}, window({1, 1}, {0, 2, 1, 0}, {1, 1}, 1, zero));
    conv({1, 5, 4, 8}, {16, 3, 3, 8}, window({1, 1}, {4, 0, 2, 5}, {1, 1}, 1, zero));
    conv({1, 60, 46, 4}, {8, 3, 3, 4}, window({1, 1}, {1, 1, 1, 1}, {1, 1}, 1, zero));
    // Sums that are no integers any more once they are scaled, in whole panels, and residuals larger still.
    for (const DType y : {DType::kUInt8, DType::kInt8}) {
      const Tensor codes = Codes(x, {1, 6, 5, 8}, 16), w = Codes(DType::kInt8, {64, 3, 3, 8}, 17);
      const Tensor far = RandomTensor(DType::kFloat32, {64}, 15, 1e6, 1e8);
      auto attributes = Requantised(window({1, 1}, {1, 1, 1, 1}, {1, 1}, 1, zero), y);
      cases.push_back(MakeCase("QuantizedConv", {codes, w, far}, attributes, pattern, paired));
      Tensor huge = RandomTensor(DType::kFloat32, {1, 6, 5, 64}, 18);
      for (float& v : huge.Span<float>()) v *= 1e30F;
      const Tensor bias = RandomTensor(DType::kFloat32, {64}, 19);
      cases.push_back(MakeCase("QuantizedConv", {codes, w, Scales(64, 11), bias, huge}, attributes, pattern, paired));
    }
    // The largest sums of either sign there are.
    for (const int8_t least : {int8_t{-128}, int8_t{127}}) {
      const bool is_signed = x == DType::kInt8;
      Tensor codes(x, {1, 4, 5, 1800}), w(DType::kInt8, {2, 3, 3, 1800});
      std::fill_n(codes.Data<uint8_t>(), codes.NumElements(), is_signed ? uint8_t{127} : uint8_t{255});
      std::fill_n(w.Data<int8_t>(), w.NumElements(), least);
      auto attributes = window({1, 1}, {1, 1, 1, 1}, {1, 1}, 1, is_signed ? -128 : 0);
      if (pattern == Pattern::kDense) cases.push_back(MakeCase("QuantizedConv", {codes, w, Scales(2, 11)}, attributes));
    }
  }
  return cases;
}

// One filter per channel: every width of the last block, kernels of one and two sets of rows, of 3 to 7 columns and
// others, strides, dilations, rows of padding alone, images of few rows.
std::vector<KernelCase> DepthwiseCases() {
  std::vector<KernelCase> cases;
  const auto add = [&](DType x, Dims in, Dims kernel, Dims strides, Dims pads, Dims dilations) {
    const int64_t channels = in.back();
    std::map<std::string, Attribute> attributes = {{"strides", std::move(strides)},
                                                   {"pads", std::move(pads)},
                                                   {"dilations", std::move(dilations)},
                                                   {"group", channels},
                                                   {"x_zero_point", int64_t{x == DType::kUInt8 ? 93 : -11}}};
    Dims weight = {channels};
    weight.insert(weight.end(), kernel.begin(), kernel.end());
    weight.push_back(1);
    const std::vector<Tensor> inputs = {Codes(x, std::move(in), 41), Codes(DType::kInt8, weight, 42),
                                        Scales(channels, 43), RandomTensor(DType::kFloat32, {channels}, 44)};
    for (const char* activation : {"", "Relu", "Clip"}) {
      attributes["activation"] = std::string(activation);
      attributes["clip_min"] = -0.4f;
      attributes["clip_max"] = 1.7f;
      const DType y = std::string(activation).empty() ? DType::kInt8 : DType::kUInt8;
      cases.push_back(MakeCase("QuantizedConv", inputs, Requantised(attributes, y)));
      cases.back().constants = {1, 2, 3};
      for (const auto& table : {SteadyTable(y), LineTable(y)}) {
        attributes["table"] = table;
        cases.push_back(MakeCase("QuantizedConv", inputs, Requantised(attributes, y)));
        cases.back().constants = {1, 2, 3};
      }
      attributes.erase("table");
    }
  };
  for (const DType x : {DType::kUInt8, DType::kInt8}) {
    for (const int64_t channels : {3, 16, 24, 32, 40, 64, 80, 96, 144}) {
      add(x, {1, 9, 10, channels}, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1});
    }
    add(x, {2, 9, 11, 72}, {3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1});
    add(x, {1, 7, 6, 33}, {5, 5}, {1, 2}, {2, 2, 2, 2}, {1, 1});
    add(x, {1, 6, 9, 26}, {5, 5}, {1, 1}, {2, 2, 2, 2}, {1, 1});
    add(x, {1, 9, 7, 19}, {7, 7}, {1, 1}, {3, 3, 3, 3}, {1, 1});
    add(x, {1, 11, 10, 24}, {3, 7}, {2, 2}, {1, 3, 1, 3}, {1, 1});
    add(x, {1, 8, 9, 13}, {5, 3}, {3, 3}, {0, 0, 0, 0}, {1, 1});
    add(x, {1, 3, 3, 20}, {3, 3}, {1, 1}, {4, 4, 3, 3}, {1, 1});
    add(x, {1, 8, 12, 17}, {2, 4}, {1, 1}, {0, 1, 2, 0}, {2, 3});
    add(x, {2, 19, 48}, {3}, {1}, {1, 1}, {2});
  }
  return cases;
}

TEST(QuantizedKernels, DepthwiseMatchesTheReference) {
  CheckFamily("quantized", DepthwiseCases(), /*need_all=*/false);
}

// Untimed networks go by the cost model: a panel of outputs would be computed for each channel.
TEST(QuantizedKernels, FiltersPerChannelGoToTheirOwnKernel) {
  if (Cpu().isa < Isa::kAvx2) GTEST_SKIP() << "there is no other kernel";
  constexpr int64_t kChannels = 64;
  const Tensor weight = Codes(DType::kInt8, {kChannels, 3, 3, 1}, 51), scales = Scales(kChannels, 52);
  Node node;
  node.op = "QuantizedConv";
  node.domain = std::string(kTamisDomain);
  node.attributes = Requantised({{"strides", Dims{1, 1}},
                                 {"pads", Dims{1, 1, 1, 1}},
                                 {"dilations", Dims{1, 1}},
                                 {"group", kChannels},
                                 {"x_zero_point", int64_t{93}}},
                                DType::kUInt8);
  Problem problem;
  problem.node = &node;
  problem.inputs = {{DType::kUInt8, {1, 14, 14, kChannels}},
                    {DType::kInt8, weight.dims(), &weight, 1},
                    {DType::kFloat32, scales.dims(), &scales, 2}};
  problem.outputs = {{DType::kUInt8, {1, 14, 14, kChannels}}};
  for (problem.threads = 1; problem.threads <= 2; ++problem.threads) {
    const auto candidates = CandidateKernels(problem, nullptr);
    ASSERT_FALSE(candidates.empty());
    EXPECT_NE(candidates.front()->name.find("depthwise"), std::string_view::npos) << candidates.front()->name;
  }
}

TEST(QuantizedKernels, MatchTheReference) {
  std::vector<KernelCase> cases = Cases(Pattern::kDense);
  for (const bool paired : {false, true}) {
    for (KernelCase& c : Cases(Pattern::kTwoFour, paired)) cases.push_back(std::move(c));
  }
  CheckFamily("quantized", cases);
}

// What a processor without AVX512_VBMI runs, on one that has it.
TEST(QuantizedKernels, MatchTheReferenceWithoutPermutationsOfBytes) {
  if (!Cpu().avx512_vnni) GTEST_SKIP() << "needs AVX-512 with VNNI";
  static constexpr auto kSupports = [](const Problem& problem, bool sparse) {
    const std::string& op = problem.node->op;
    const bool product = op == "QuantizedLinear" || op == "QuantizedConv" || op == "DynamicQuantizedLinear";
    return product ? Int8PanelsSupported(problem, sparse) : Status(UserError("not a product"));
  };
  KernelDef dense, sparse;
  dense.name = "dense without VBMI";
  dense.supports = [](const Problem& problem) { return kSupports(problem, false); };
  dense.prepare = [](const Problem& problem, PackCache& cache) {
    return PrepareInt8Panels(problem, cache, kInt8DenseAvx512);
  };
  sparse.name = "2:4 without VBMI";
  sparse.supports = [](const Problem& problem) { return kSupports(problem, true); };
  sparse.prepare = [](const Problem& problem, PackCache& cache) {
    return PrepareInt8Panels(problem, cache, kInt8SparseAvx512);
  };
  size_t runs = 0;
  for (const auto& [pattern, paired] :
       {std::pair(Pattern::kDense, false), {Pattern::kTwoFour, false}, {Pattern::kTwoFour, true}}) {
    for (const KernelCase& c : Cases(pattern, paired)) {
      runs += CheckKernel(pattern == Pattern::kDense ? dense : sparse, c) ? 1 : 0;
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_GT(runs, 100u);
  KernelDef depthwise;
  depthwise.name = "depthwise without VBMI";
  depthwise.supports = SupportsDepthwiseInt8;
  depthwise.prepare = [](const Problem& problem, PackCache&) {
    return PrepareDepthwiseInt8(problem, {.body = DepthwiseInt8Avx512, .block = 64});
  };
  runs = 0;
  for (const KernelCase& c : DepthwiseCases()) runs += CheckKernel(depthwise, c) ? 1 : 0;
  EXPECT_GT(runs, 100u);
}

// Every value is a whole number below 2^24: nothing is rounded, so kernels must agree to the bit.
TEST(QuantizedKernels, AreExactOnSmallIntegers) {
  std::vector<KernelCase> cases;
  for (const auto& [pattern, paired] :
       {std::pair(Pattern::kDense, false), {Pattern::kTwoFour, false}, {Pattern::kTwoFour, true}}) {
    for (const auto& [rows, n, k] : std::vector<std::array<int64_t, 3>>{{1, 40, 136}, {13, 33, 64}, {37, 64, 1024}}) {
      for (const DType x : {DType::kUInt8, DType::kInt8}) {
        Tensor scales(DType::kFloat32, {n});
        for (int64_t i = 0; i < n; ++i) scales.Data<float>()[i] = i % 2 == 0 ? 0.5f : 2.0f;
        KernelCase c = MakeCase("QuantizedLinear", {Codes(x, {rows, k}, 21), Codes(DType::kInt8, {n, k}, 22), scales},
                                {{"x_zero_point", int64_t{x == DType::kUInt8 ? 128 : 0}}}, pattern, paired);
        c.absolute = c.relative = 0;
        cases.push_back(std::move(c));
      }
    }
  }
  Tensor dynamic(DType::kFloat32, {3, 16});  // 0 to 255 in steps of one: its scale is 1
  for (int64_t i = 0; i < 48; ++i) dynamic.Data<float>()[i] = static_cast<float>(i * 255 / 47);
  for (const Pattern pattern : {Pattern::kDense, Pattern::kTwoFour}) {
    Tensor scales(DType::kFloat32, {5});
    for (float& scale : scales.Span<float>()) scale = 1;
    KernelCase c = MakeCase("DynamicQuantizedLinear", {dynamic, Codes(DType::kInt8, {5, 16}, 23), scales}, {}, pattern);
    c.absolute = c.relative = 0;
    cases.push_back(std::move(c));
  }
  CheckFamily("quantized", cases, /*need_all=*/false);
}

TEST(QuantizedKernels, PanelsArePairedWhereMasksFit) {
  Tensor weight = Codes(DType::kInt8, {40, 64}, 31);
  MakeTwoFour(weight, 32);
  PackCache cache;
  const Int8Geometry geometry = {.groups = 1, .outputs = 40, .taps = 1, .channels = 64};
  auto packed = PackedInt8::Get(cache, 1, weight, geometry, Pattern::kTwoFour);
  ASSERT_TRUE(packed.ok());
  EXPECT_EQ((*packed)->order(0), nullptr);
  EXPECT_NE((*packed)->order(1), nullptr);  // eight outputs, and lanes for a partner of each
  MakePaired(weight);
  packed = PackedInt8::Get(cache, 2, weight, geometry, Pattern::kTwoFour);
  ASSERT_TRUE(packed.ok());
  ASSERT_NE((*packed)->order(0), nullptr);
  for (int64_t i = 0; i < 16; ++i) {
    EXPECT_EQ(std::abs((*packed)->order(0)[i] - (*packed)->order(0)[31 - i]), 16);
  }
  weight.Data<int8_t>()[3 * 64 + 4] = weight.Data<int8_t>()[3 * 64 + 5] = weight.Data<int8_t>()[3 * 64 + 6] = 1;
  const auto broken = PackedInt8::Get(cache, 3, weight, geometry, Pattern::kTwoFour);
  ASSERT_FALSE(broken.ok());
  EXPECT_EQ(broken.status().message(), "row 3 breaks the 2:4 pattern in the group at column 4");
}

TEST(QuantizedKernels, RefuseWhatTheyCannotCompute) {
  KernelCase c =
      MakeCase("QuantizedLinear", {Codes(DType::kUInt8, {3, 8}, 1), Codes(DType::kInt8, {4, 8}, 2), Scales(4, 3)}, {});
  c.constants = {};
  ExpectRefused("quantized", c, "must be constant int8");
  c.constants = {1};
  c.inputs[2] = Scales(3, 3);
  ExpectRefused("quantized", c, "each of 4 outputs");
}

}  // namespace
}  // namespace tamis::kernel_test
