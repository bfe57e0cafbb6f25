// int8 products of the CUDA backend.
#include "src/cuda/cuda_kernel_check.h"

namespace tamis {
namespace {

Tensor Codes(DType dtype, Dims dims, std::mt19937& random) {
  Tensor tensor(dtype, std::move(dims));
  for (size_t i = 0; i < tensor.NumBytes(); ++i) tensor.raw()[i] = static_cast<std::byte>(random());
  return tensor;
}

// Types and rounding of a product.
struct Types {
  DType x = DType::kUInt8, y = DType::kUInt8, residual = DType::kUndefined;
  const char* activation = "";
  int64_t x_zero = 0;
};

constexpr Types kTypes[] = {{DType::kUInt8, DType::kUInt8, DType::kUndefined, "Relu", 0},
                            {DType::kInt8, DType::kInt8, DType::kInt8, "", -3},
                            {DType::kUInt8, DType::kInt8, DType::kUInt8, "Relu", 7},
                            {DType::kInt8, DType::kUInt8, DType::kFloat32, "Gelu", 0},
                            {DType::kUInt8, DType::kFloat32, DType::kFloat32, "", 128},
                            {DType::kUInt8, DType::kFloat32, DType::kUInt8, "HardSwish", 0},
                            {DType::kInt8, DType::kFloat16, DType::kUndefined, "Silu", 0}};

// The inputs after x, attributes and the result's type; `depth` products a sum, `y` the result's dimensions.
void AddOperands(CudaCase* c, const Types& types, const Dims& weight, const Dims& y, int64_t depth, CudaRandom& random,
                 std::mt19937& codes) {
  const int64_t outputs = weight[0];
  c->domain = kTamisDomain;
  c->codes = true;
  c->attributes["x_zero_point"] = types.x_zero;
  c->attributes["activation"] = std::string(types.activation);
  Tensor scale(DType::kFloat32, {outputs});
  // Sums of this many products of codes are as large as the root of their number; results fill most of the codes.
  const float size = 74.0f * 74.0f * std::sqrt(static_cast<float>(depth));
  for (int64_t i = 0; i < outputs; ++i) scale.Data<float>()[i] = (1.0f + 0.01f * static_cast<float>(i % 50)) / size;
  c->inputs.push_back(Codes(DType::kInt8, weight, codes));
  c->inputs.push_back(std::move(scale));
  c->inputs.push_back(random.Floats(DType::kFloat32, {outputs}));
  c->constants = {1, 2, 3};
  if (types.residual == DType::kFloat32) {
    c->inputs.push_back(random.Floats(DType::kFloat32, y));
  } else if (types.residual != DType::kUndefined) {
    c->inputs.push_back(Codes(types.residual, y, codes));
    c->attributes["residual_scale"] = 0.017f;
    c->attributes["residual_zero_point"] = int64_t{types.residual == DType::kUInt8 ? 111 : -5};
  }
  if (!IsFloat(types.y)) {
    c->attributes["y_dtype"] = static_cast<int64_t>(types.y);
    c->attributes["y_scale"] = 0.021f;
    c->attributes["y_zero_point"] = int64_t{types.y == DType::kUInt8 ? 9 : -17};
    if (types.residual != DType::kUndefined) return;
    // Neighbours stay neighbours, so that a code may still be one off. The table begins with the code whose byte is 0.
    Dims table(256);
    for (int64_t i = 0; i < 256; ++i)
      table[static_cast<size_t>(i)] = types.y == DType::kUInt8 ? 255 - i : i < 128 ? i / 2 : (i - 256) / 2;
    c->attributes["table"] = table;
  }
}

// What the reference gives, which knows f32 and codes; f16 results are rounded from f32.
void Expect(CudaCase* c, const Types& types, const std::string& op, const std::vector<Tensor>& inputs) {
  const DType known = types.y == DType::kFloat16 ? DType::kFloat32 : types.y;
  c->output_dtypes = {known};
  auto expected = Reference(*c, op, inputs);
  ASSERT_TRUE(expected.ok()) << expected.status().message();
  c->expected = std::move(expected).value();
  if (types.y == DType::kFloat16) c->expected = {Halves(c->expected[0])};
  c->output_dtypes = {types.y};
}

TEST_F(CudaKernels, QuantizedProducts) {
  CudaRandom random(2040);
  std::mt19937 codes(2041);
  struct Shape {
    int64_t rows, outputs, depth;
  };
  int tried = 0;
  for (const Shape& s : {Shape{1, 1000, 2048},
                         {128, 768, 3072},
                         {300, 2304, 256},
                         {49, 2048, 512},
                         {513, 64, 64},
                         {1000, 256, 80},
                         {130, 130, 264},
                         {7, 40, 33}}) {
    for (const Types& types : kTypes) {
      CudaCase c;
      c.op = "QuantizedLinear";
      c.inputs = {Codes(types.x, {s.rows, s.depth}, codes)};
      AddOperands(&c, types, {s.outputs, s.depth}, {s.rows, s.outputs}, s.depth, random, codes);
      Expect(&c, types, c.op, c.inputs);
      tried += Check(c);
      ASSERT_FALSE(HasFailure());
    }
  }
  std::printf("%d runs\n", tried);
}

// Leaves two codes of every four along the last axis.
void MakeTwoFour(Tensor& weight, std::mt19937& random) {
  for (size_t i = 0; i + 4 <= weight.NumBytes(); i += 4) {
    const size_t first = random() % 4, second = (first + 1 + random() % 3) % 4;
    for (const size_t out : {first, second}) weight.raw()[i + out] = std::byte{0};
  }
}

// Sums of small integers, which f32 holds: every position and every code has to be right. Then all that the epilogue
// does, and the tactics that split the depth.
TEST_F(CudaKernels, QuantizedProducts24) {
  CudaRandom random(2049);
  std::mt19937 codes(2050);
  struct Shape {
    int64_t rows, outputs, depth;
  };
  int tried = 0;
  for (const Shape& s : {Shape{1, 1000, 2048},
                         {128, 768, 3072},
                         {300, 2304, 256},
                         {49, 2048, 512},
                         {513, 64, 64},
                         {1000, 256, 80},
                         {5000, 512, 272}}) {
    for (const DType x : {DType::kUInt8, DType::kInt8}) {
      CudaCase c;
      c.op = "QuantizedLinear";
      c.domain = kTamisDomain;
      c.exact = true;
      c.weight = Pattern::kTwoFour;
      c.attributes = {{"x_zero_point", int64_t{3}}, {"output_dtype", kFull}};
      Tensor scale(DType::kFloat32, {s.outputs});
      std::fill_n(scale.Data<float>(), s.outputs, 1.0f);
      c.inputs = {Codes(x, {s.rows, s.depth}, codes), Codes(DType::kInt8, {s.outputs, s.depth}, codes), scale,
                  random.Integers(DType::kFloat32, {s.outputs}, 9)};
      // Below 2^24 / 3072 each, bias and zero point included.
      for (size_t i = 0; i < c.inputs[1].NumBytes(); ++i) {
        c.inputs[1].raw()[i] = static_cast<std::byte>(static_cast<int>(codes() % 31) - 15);
      }
      MakeTwoFour(c.inputs[1], codes);
      c.constants = {1, 2, 3};
      c.output_dtypes = {DType::kFloat32};
      tried += Check(c);
      ASSERT_FALSE(HasFailure());
    }
    for (const Types& types : kTypes) {
      if (s.rows * s.outputs > 700000 && types.y != DType::kUInt8) continue;  // the references take seconds
      CudaCase c;
      c.op = "QuantizedLinear";
      c.weight = Pattern::kTwoFour;
      c.inputs = {Codes(types.x, {s.rows, s.depth}, codes)};
      AddOperands(&c, types, {s.outputs, s.depth}, {s.rows, s.outputs}, s.depth / 2, random, codes);
      MakeTwoFour(c.inputs[1], codes);
      Expect(&c, types, c.op, c.inputs);
      tried += Check(c);
      ASSERT_FALSE(HasFailure());
    }
  }
  std::printf("%d runs\n", tried);
}

struct ConvShape {
  int64_t batch, height, width, channels, outputs, kernel, stride, pad, dilation, group;
  Dims Y() const {
    const auto out = [&](int64_t in) { return (in + 2 * pad - (kernel - 1) * dilation - 1) / stride + 1; };
    return {batch, out(height), out(width), outputs};
  }
  std::map<std::string, Attribute> Attributes() const {
    return {{"strides", Dims{stride, stride}},
            {"pads", Dims(4, pad)},
            {"dilations", Dims{dilation, dilation}},
            {"group", group}};
  }
};

TEST_F(CudaKernels, QuantizedConvolutions) {
  CudaRandom random(2042);
  std::mt19937 codes(2043);
  int tried = 0;
  for (const ConvShape& s : {ConvShape{2, 28, 28, 128, 128, 3, 2, 1, 1, 1},
                             {1, 7, 7, 512, 512, 3, 1, 1, 1, 1},
                             {1, 56, 56, 64, 64, 3, 1, 1, 1, 1},
                             {2, 13, 14, 256, 512, 1, 2, 0, 1, 1},
                             {3, 14, 14, 256, 1024, 1, 1, 0, 1, 1},
                             {2, 15, 17, 16, 32, 3, 1, 2, 2, 1},
                             {1, 14, 14, 144, 48, 3, 1, 1, 1, 1},
                             {2, 20, 19, 96, 96, 3, 2, 1, 1, 96},
                             {1, 9, 9, 40, 40, 5, 1, 2, 1, 10}}) {
    for (size_t i = 0; i < 2 * std::size(kTypes); ++i) {
      const Types& types = kTypes[i / 2];
      CudaCase c;
      c.op = "QuantizedConv";
      if (i % 2 == 1) c.weight = Pattern::kTwoFour;
      c.inputs = {Codes(types.x, {s.batch, s.height, s.width, s.channels}, codes)};
      c.attributes = s.Attributes();
      const int64_t channels = s.channels / s.group;
      AddOperands(&c, types, {s.outputs, s.kernel, s.kernel, channels}, s.Y(), s.kernel * s.kernel * channels, random,
                  codes);
      if (c.weight == Pattern::kTwoFour) MakeTwoFour(c.inputs[1], codes);
      Expect(&c, types, c.op, c.inputs);
      tried += Check(c);
      ASSERT_FALSE(HasFailure());
    }
  }
  std::printf("%d runs\n", tried);
}

// Images [batch, channels, height, width] as channels-last codes of the scale 0.02.
Tensor CodesOfImages(const Tensor& images, const Types& types) {
  const Dims& d = images.dims();
  Tensor codes(types.x, {d[0], d[2], d[3], d[1]});
  const int64_t channels = d[1], pixels = d[2] * d[3];
  const int low = types.x == DType::kUInt8 ? 0 : -128;
  for (int64_t i = 0; i < codes.NumElements(); ++i) {
    const int64_t channel = i % channels, pixel = i / channels % pixels, b = i / channels / pixels;
    const float x = images.Data<float>()[(b * channels + channel) * pixels + pixel];
    const int code = static_cast<int>(std::nearbyint(x / 0.02f)) + static_cast<int>(types.x_zero);
    codes.raw()[i] = static_cast<std::byte>(std::clamp(code, low, low + 255));
  }
  return codes;
}

// What FuseForCuda makes of the first convolution.
TEST_F(CudaKernels, QuantizedChannelsFirstConv) {
  CudaRandom random(2044);
  std::mt19937 codes(2045);
  for (const ConvShape& s : {ConvShape{2, 33, 29, 3, 64, 7, 2, 3, 1, 1},
                             {1, 40, 40, 3, 32, 3, 1, 1, 1, 1},
                             {2, 9, 9, 1, 16, 5, 1, 0, 1, 1},
                             {1, 32, 32, 4, 96, 4, 4, 0, 1, 1},
                             {3, 30, 31, 3, 32, 3, 2, 1, 1, 1},
                             {1, 20, 20, 3, 10, 3, 2, 1, 1, 1}}) {
    for (const Types& types : kTypes) {
      if (types.residual != DType::kUndefined) continue;
      CudaCase c;
      c.op = "QuantizedChannelsFirstConv";
      c.inputs = {random.Floats(DType::kFloat32, {s.batch, s.channels, s.height, s.width})};
      c.attributes = s.Attributes();
      Types shifted = types;
      shifted.x_zero = types.x == DType::kUInt8 ? 117 : 11;
      AddOperands(&c, shifted, {s.outputs, s.kernel, s.kernel, s.channels}, s.Y(), s.kernel * s.kernel * s.channels,
                  random, codes);
      c.attributes["x_scale"] = 0.02f;
      c.attributes["x_dtype"] = static_cast<int64_t>(types.x);
      Expect(&c, shifted, "QuantizedConv",
             {CodesOfImages(c.inputs[0], shifted), c.inputs[1], c.inputs[2], c.inputs[3]});
      EXPECT_GT(Check(c), 0);
      ASSERT_FALSE(HasFailure());
    }
  }
}

// And of its pool.
TEST_F(CudaKernels, QuantizedChannelsFirstConvPool) {
  CudaRandom random(2047);
  std::mt19937 codes(2048);
  for (const ConvShape& s : {ConvShape{1, 224, 224, 3, 64, 7, 2, 3, 1, 1},
                             {2, 33, 29, 3, 64, 7, 2, 3, 1, 1},
                             {1, 40, 40, 3, 32, 3, 1, 1, 1, 1},
                             {40, 30, 31, 3, 96, 3, 2, 1, 1, 1}}) {
    for (const Types& types : kTypes) {
      if (types.residual != DType::kUndefined || IsFloat(types.y) || std::string(types.activation) == "Gelu") continue;
      CudaCase c;
      c.op = "QuantizedChannelsFirstConvPool";
      c.inputs = {random.Floats(DType::kFloat32, {s.batch, s.channels, s.height, s.width})};
      c.attributes = s.Attributes();
      Types shifted = types;
      shifted.x_zero = types.x == DType::kUInt8 ? 117 : 11;
      AddOperands(&c, shifted, {s.outputs, s.kernel, s.kernel, s.channels}, s.Y(), s.kernel * s.kernel * s.channels,
                  random, codes);
      c.attributes.erase("table");
      for (int64_t i = 3; i < s.outputs; i += 5)
        c.inputs[2].Data<float>()[i] *= -1;  // as a negative batch norm leaves it
      c.attributes["x_scale"] = 0.02f;
      c.attributes["x_dtype"] = static_cast<int64_t>(types.x);
      Expect(&c, shifted, "QuantizedConv",
             {CodesOfImages(c.inputs[0], shifted), c.inputs[1], c.inputs[2], c.inputs[3]});
      CudaCase pool;
      pool.domain = kTamisDomain;
      pool.attributes = {{"kernel_shape", Dims{3, 3}}, {"strides", Dims{2, 2}}, {"pads", Dims(4, 1)}};
      pool.output_dtypes = {types.y};
      const auto pooled = Reference(pool, "ChannelsLastMaxPool", {c.expected[0]});
      ASSERT_TRUE(pooled.ok()) << pooled.status().message();
      c.expected = *pooled;
      c.attributes["conv_shape"] = s.Y();
      c.attributes["pool_kernel"] = Dims{3, 3};
      c.attributes["pool_strides"] = Dims{2, 2};
      c.attributes["pool_pads"] = Dims(4, 1);
      EXPECT_GT(Check(c), 1);
      ASSERT_FALSE(HasFailure());
    }
  }
}

TEST_F(CudaKernels, PoolsOfCodes) {
  std::mt19937 codes(2046);
  for (const DType dtype : {DType::kUInt8, DType::kInt8}) {
    for (const int64_t channels : {64, 20, 7}) {
      CudaCase c;
      c.op = "ChannelsLastMaxPool";
      c.domain = kTamisDomain;
      c.attributes = {
          {"kernel_shape", Dims{3, 3}}, {"strides", Dims{2, 2}}, {"pads", Dims(4, 1)}, {"dilations", Dims{1, 1}}};
      c.inputs = {Codes(dtype, {2, 15, 14, channels}, codes)};
      c.output_dtypes = {dtype};
      EXPECT_EQ(Check(c), 1);
      ASSERT_FALSE(HasFailure());
    }
  }
}

// A scale for each index of an axis: the last one and one before it, one zero point and several.
TEST_F(CudaKernels, QuantizeLinearAlongAnAxis) {
  CudaRandom random(2041);
  for (const int64_t columns : {8, 30, 768}) {
    for (const DType x : {DType::kFloat16, DType::kFloat32}) {
      for (const auto& [axis, several] : {std::pair(1, false), {1, true}, {0, false}}) {
        constexpr int64_t kRows = 45;
        CudaCase c;
        c.op = "QuantizeLinear";
        c.codes = true;
        c.attributes = {{"axis", int64_t{axis}}};
        const int64_t size = axis == 1 ? columns : kRows;
        Tensor scales(x, {size}), zeros(DType::kUInt8, {size});
        for (int64_t i = 0; i < size; ++i) {
          const float scale = std::ldexp(1.0f, -static_cast<int>(i % 4) - 4);
          if (x == DType::kFloat16) {
            scales.Data<uint16_t>()[i] = FloatToHalf(scale);
          } else {
            scales.Data<float>()[i] = scale;
          }
          zeros.Data<uint8_t>()[i] = static_cast<uint8_t>(several ? 100 + i % 9 : 120);
        }
        c.inputs = {random.Floats(x, {kRows, columns}, 2), scales, zeros};
        c.constants = {1, 2};
        c.output_dtypes = {DType::kUInt8};
        EXPECT_EQ(Check(c), 1);
        ASSERT_FALSE(HasFailure());
      }
    }
  }
}

}  // namespace
}  // namespace tamis
