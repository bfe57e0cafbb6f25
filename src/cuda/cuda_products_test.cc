// Products and convolutions of the CUDA backend.
#include "src/cuda/cuda_kernel_check.h"

namespace tamis {
namespace {

TEST_F(CudaKernels, Products) {
  CudaRandom random(2025);
  struct Shape {
    int64_t rows, outputs, depth;
  };
  int tried = 0;
  for (const Shape& s : {Shape{1, 1000, 2048},
                         {128, 768, 3072},
                         {128, 2304, 768},
                         {77, 200, 136},
                         {300, 72, 8},
                         {4096, 768, 768},
                         {49, 2048, 512},
                         {130, 130, 264}}) {
    for (const char* activation : {"", "Relu", "Gelu"}) {
      for (const bool residual : {false, true}) {
        for (const int64_t out : {kHalf, kFull}) {
          if (s.rows * s.outputs > 200000 && residual != (out == kHalf)) continue;  // the references take seconds
          CudaCase c;
          c.op = "Linear";
          c.domain = kTamisDomain;
          c.attributes = {{"activation", std::string(activation)}, {"output_dtype", out}};
          const float scale = 1 / std::sqrt(static_cast<float>(s.depth));
          c.inputs = {random.Floats(DType::kFloat16, {s.rows, s.depth}),
                      random.Floats(DType::kFloat16, {s.outputs, s.depth}, scale),
                      random.Floats(DType::kFloat32, {s.outputs})};
          if (residual) c.inputs.push_back(random.Floats(static_cast<DType>(out), {s.rows, s.outputs}));
          c.constants = {1, 2};
          c.output_dtypes = {static_cast<DType>(out)};
          tried += Check(c);
          ASSERT_FALSE(HasFailure());
        }
      }
    }
  }
  CudaCase exact;
  exact.op = "Linear";
  exact.domain = kTamisDomain;
  exact.attributes = {{"output_dtype", kHalf}};
  exact.inputs = {random.Integers(DType::kFloat16, {70, 192}, 2), random.Integers(DType::kFloat16, {96, 192}, 2)};
  exact.constants = {1};
  exact.output_dtypes = {DType::kFloat16};
  exact.exact = true;
  tried += Check(exact);
  std::printf("%d runs\n", tried);
}

// Whose range networks made for bf16 may need: sums beyond f16's.
TEST_F(CudaKernels, ProductsInBf16) {
  CudaRandom random(2036);
  for (const int64_t rows : {1, 77, 300}) {
    for (const char* activation : {"", "Relu", "Silu"}) {
      for (const int64_t out : {kBrain, kFull}) {
        CudaCase c;
        c.op = "Linear";
        c.domain = kTamisDomain;
        c.attributes = {{"activation", std::string(activation)}, {"output_dtype", out}};
        c.inputs = {random.Floats(DType::kBFloat16, {rows, 512}, 1000), random.Floats(DType::kBFloat16, {264, 512}, 10),
                    random.Floats(DType::kFloat32, {264}), random.Floats(static_cast<DType>(out), {rows, 264}, 1000)};
        c.constants = {1, 2};
        c.output_dtypes = {static_cast<DType>(out)};
        EXPECT_GT(Check(c), 0);
        ASSERT_FALSE(HasFailure());
      }
    }
  }
}

TEST_F(CudaKernels, Convolutions) {
  CudaRandom random(2026);
  struct Shape {
    int64_t batch, height, width, channels, outputs, kernel, stride, pad, dilation, group;
  };
  int tried = 0;
  for (const Shape& s : {Shape{1, 56, 56, 64, 64, 3, 1, 1, 1, 1},
                         {2, 28, 28, 128, 128, 3, 2, 1, 1, 1},
                         {1, 7, 7, 512, 512, 3, 1, 1, 1, 1},
                         {2, 33, 29, 3, 64, 7, 2, 3, 1, 1},
                         {1, 28, 28, 256, 512, 1, 2, 0, 1, 1},
                         {3, 14, 14, 256, 1024, 1, 1, 0, 1, 1},
                         {2, 15, 17, 16, 24, 3, 1, 2, 2, 1},
                         {2, 20, 19, 96, 96, 3, 2, 1, 1, 96},
                         {2, 13, 12, 96, 64, 3, 1, 1, 1, 4},
                         {1, 9, 9, 40, 40, 5, 1, 2, 1, 40},
                         {1, 15, 13, 64, 64, 7, 1, 3, 1, 64},  // by strips
                         {2, 14, 15, 24, 24, 5, 2, 2, 1, 24},
                         {2, 8, 9, 34, 34, 3, 2, 0, 1, 34},
                         {1, 1, 1, 10, 240, 1, 1, 0, 1, 1},  // what only conv_direct takes
                         {2, 9, 8, 30, 20, 3, 2, 1, 1, 10},
                         {2, 12, 11, 10, 12, 3, 1, 2, 2, 1}}) {
    for (const char* activation : {"", "Relu", "Clip"}) {
      for (const bool residual : {false, true}) {
        if (residual != (std::string(activation) == "Relu")) continue;  // the references take seconds
        const int64_t taken = (s.kernel - 1) * s.dilation + 1;
        const int64_t out_h = (s.height + 2 * s.pad - taken) / s.stride + 1;
        const int64_t out_w = (s.width + 2 * s.pad - taken) / s.stride + 1;
        CudaCase c;
        c.op = "ChannelsLastConv";
        c.domain = kTamisDomain;
        c.attributes = {{"activation", std::string(activation)},     {"output_dtype", kHalf},
                        {"strides", Dims{s.stride, s.stride}},       {"pads", Dims(4, s.pad)},
                        {"dilations", Dims{s.dilation, s.dilation}}, {"group", s.group}};
        if (std::string(activation) == "Clip") {
          c.attributes["clip_min"] = 0.0f;
          c.attributes["clip_max"] = 1.0f;
        }
        const int64_t depth = s.kernel * s.kernel * s.channels / s.group;
        const float scale = 1 / std::sqrt(static_cast<float>(depth));
        c.inputs = {random.Floats(DType::kFloat16, {s.batch, s.height, s.width, s.channels}),
                    random.Floats(DType::kFloat16, {s.outputs, s.kernel, s.kernel, s.channels / s.group}, scale),
                    random.Floats(DType::kFloat32, {s.outputs})};
        if (residual) c.inputs.push_back(random.Floats(DType::kFloat16, {s.batch, out_h, out_w, s.outputs}));
        c.constants = {1, 2};
        c.output_dtypes = {DType::kFloat16};
        tried += Check(c);
        ASSERT_FALSE(HasFailure());
      }
    }
  }
  std::printf("%d runs\n", tried);
}

// What only libraries compute, of channels side by side and one by one; SiLU is a pass of ours behind them. On numbers
// beyond f16's range, as networks in bf16 may have them.
TEST_F(CudaKernels, ConvolutionsInOtherTypes) {
  CudaRandom random(2045);
  struct Shape {
    int64_t height, width, channels, outputs, kernel, stride, group;
  };
  for (const Shape& s : {Shape{14, 14, 64, 72, 3, 1, 1}, Shape{15, 13, 32, 64, 1, 2, 1}, Shape{17, 18, 3, 24, 3, 2, 1},
                         Shape{13, 12, 64, 64, 3, 1, 4}, Shape{12, 14, 40, 40, 3, 1, 40},
                         Shape{13, 15, 24, 24, 7, 1, 24}, Shape{12, 13, 10, 20, 3, 2, 5}}) {
    for (const auto& [dtype, tf32] : {std::pair(kBrain, false), {kFull, false}, {kFull, true}}) {
      for (const char* activation : {"", "Relu", "Silu"}) {
        const bool residual = std::string(activation) != "";
        const int64_t pad = s.kernel / 2;
        const auto out = [&](int64_t in) { return (in + 2 * pad - s.kernel) / s.stride + 1; };
        CudaCase c;
        c.op = "ChannelsLastConv";
        c.domain = kTamisDomain;
        c.attributes = {{"activation", std::string(activation)},
                        {"output_dtype", dtype},
                        {"strides", Dims{s.stride, s.stride}},
                        {"pads", Dims(4, pad)},
                        {"dilations", Dims{1, 1}},
                        {"group", s.group}};
        if (tf32) c.attributes["tf32"] = int64_t{1};
        const auto type = static_cast<DType>(dtype);
        const int64_t channels = s.channels / s.group;
        const float scale = 1 / std::sqrt(static_cast<float>(s.kernel * s.kernel * channels));
        c.inputs = {random.Floats(type, {2, s.height, s.width, s.channels}, 1e5f),
                    random.Floats(type, {s.outputs, s.kernel, s.kernel, channels}, scale),
                    random.Floats(DType::kFloat32, {s.outputs}, 1e5f)};
        if (residual) c.inputs.push_back(random.Floats(type, {2, out(s.height), out(s.width), s.outputs}, 1e5f));
        c.constants = {1, 2};
        c.output_dtypes = {type};
        EXPECT_GT(Check(c), 0) << Name(type) << (tf32 ? ", tf32" : "");
        ASSERT_FALSE(HasFailure());
      }
    }
  }
}

TEST_F(CudaKernels, ChannelsFirstConv) {
  CudaRandom random(2031);
  struct Shape {
    int64_t batch, channels, height, width, outputs, kernel, stride, pad;
  };
  for (const Shape& s :
       {Shape{2, 3, 33, 29, 64, 7, 2, 3}, Shape{1, 3, 40, 40, 24, 3, 1, 1}, Shape{2, 1, 9, 9, 16, 5, 1, 0},
        Shape{1, 4, 32, 32, 96, 4, 4, 0}, Shape{2, 3, 64, 48, 72, 16, 16, 0}, Shape{3, 3, 30, 31, 32, 3, 2, 1}}) {
    CudaCase c;
    c.op = "ChannelsFirstConv";
    c.domain = kTamisDomain;
    c.attributes = {{"activation", std::string("Relu")},
                    {"output_dtype", kHalf},
                    {"strides", Dims{s.stride, s.stride}},
                    {"pads", Dims(4, s.pad)},
                    {"dilations", Dims{1, 1}},
                    {"group", int64_t{1}}};
    const float scale = 1 / std::sqrt(static_cast<float>(s.kernel * s.kernel * s.channels));
    c.inputs = {random.Floats(DType::kFloat32, {s.batch, s.channels, s.height, s.width}),
                random.Floats(DType::kFloat16, {s.outputs, s.kernel, s.kernel, s.channels}, scale),
                random.Floats(DType::kFloat32, {s.outputs})};
    c.constants = {1, 2};
    c.output_dtypes = {DType::kFloat16};
    Tensor last(DType::kFloat32, {s.batch, s.height, s.width, s.channels});
    const int64_t pixels = s.height * s.width;
    for (int64_t i = 0; i < last.NumElements(); ++i) {
      const int64_t channel = i % s.channels, pixel = i / s.channels % pixels, b = i / s.channels / pixels;
      last.Data<float>()[i] = c.inputs[0].Data<float>()[(b * s.channels + channel) * pixels + pixel];
    }
    c.expected = Reference(c, "ChannelsLastConv", {Halves(last), c.inputs[1], c.inputs[2]}).value();
    EXPECT_GT(Check(c), 0);
    ASSERT_FALSE(HasFailure());
  }
}

// f32 throughout, as products stay whose weights leave f16's range.
TEST_F(CudaKernels, LinearInF32) {
  CudaRandom random(2038);
  struct Shape {
    int64_t rows, outputs, depth;
  };
  for (const Shape& s : {Shape{128, 768, 768}, Shape{1, 1000, 2048}, Shape{77, 72, 40}}) {
    for (const char* activation : {"", "Relu", "Gelu"}) {
      for (const bool tf32 : {false, true}) {
        const bool residual = std::string(activation) != "Relu";
        CudaCase c;
        c.op = "Linear";
        c.domain = kTamisDomain;
        c.attributes = {{"activation", std::string(activation)}, {"output_dtype", kFull}};
        if (tf32) c.attributes["tf32"] = int64_t{1};
        const float scale = 1 / std::sqrt(static_cast<float>(s.depth));
        c.inputs = {random.Floats(DType::kFloat32, {s.rows, s.depth}),
                    random.Floats(DType::kFloat32, {s.outputs, s.depth}, scale),
                    random.Floats(DType::kFloat32, {s.outputs}),
                    residual ? random.Floats(DType::kFloat32, {s.rows, s.outputs}) : Tensor()};
        c.constants = {1, 2};
        c.output_dtypes = {DType::kFloat32};
        EXPECT_GT(Check(c), 0);
        ASSERT_FALSE(HasFailure());
      }
    }
  }
}

TEST_F(CudaKernels, MatMul) {
  CudaRandom random(2039);
  for (const auto& [a, b] : {std::pair(Dims{33, 40}, Dims{40, 24}),
                             {Dims{2, 3, 16, 64}, Dims{2, 3, 64, 8}},
                             {Dims{4, 7, 16}, Dims{16, 72}},
                             {Dims{5, 16}, Dims{6, 16, 40}},
                             {Dims{1, 12, 128, 64}, Dims{1, 12, 64, 128}}}) {
    for (const DType dtype : {DType::kFloat16, DType::kBFloat16, DType::kFloat32}) {
      CudaCase c;
      c.op = "MatMul";
      const float scale = 1 / std::sqrt(static_cast<float>(a.back()));
      c.inputs = {random.Floats(dtype, a), random.Floats(dtype, b, scale)};
      c.output_dtypes = {dtype};
      EXPECT_GT(Check(c), 0);
      ASSERT_FALSE(HasFailure());
    }
  }
}

// What FuseForCuda makes of a first convolution and its pool.
TEST_F(CudaKernels, ChannelsFirstConvPool) {
  CudaRandom random(2036);
  struct Shape {
    int64_t batch, channels, height, width, outputs, kernel, stride, pad;
  };
  for (const Shape& s :
       {Shape{2, 3, 224, 224, 64, 7, 2, 3}, Shape{3, 3, 33, 29, 64, 7, 2, 3}, Shape{1, 3, 40, 40, 24, 3, 1, 1},
        Shape{2, 1, 90, 170, 136, 5, 1, 2}, Shape{40, 3, 30, 31, 32, 3, 2, 1}}) {
    for (const char* activation : {"Relu", ""}) {
      const int64_t conv_h = (s.height + 2 * s.pad - s.kernel) / s.stride + 1;
      const int64_t conv_w = (s.width + 2 * s.pad - s.kernel) / s.stride + 1;
      CudaCase c;
      c.op = "ChannelsFirstConvPool";
      c.domain = kTamisDomain;
      c.attributes = {{"activation", std::string(activation)},
                      {"output_dtype", kHalf},
                      {"strides", Dims{s.stride, s.stride}},
                      {"pads", Dims(4, s.pad)},
                      {"dilations", Dims{1, 1}},
                      {"group", int64_t{1}},
                      {"conv_shape", Dims{s.batch, conv_h, conv_w, s.outputs}},
                      {"pool_kernel", Dims{3, 3}},
                      {"pool_strides", Dims{2, 2}},
                      {"pool_pads", Dims{1, 1, 1, 1}}};
      const float scale = 1 / std::sqrt(static_cast<float>(s.kernel * s.kernel * s.channels));
      c.inputs = {random.Floats(DType::kFloat32, {s.batch, s.channels, s.height, s.width}),
                  random.Floats(DType::kFloat16, {s.outputs, s.kernel, s.kernel, s.channels}, scale),
                  random.Floats(DType::kFloat32, {s.outputs})};
      c.constants = {1, 2};
      c.output_dtypes = {DType::kFloat16};
      Tensor last(DType::kFloat32, {s.batch, s.height, s.width, s.channels});
      const int64_t pixels = s.height * s.width;
      for (int64_t i = 0; i < last.NumElements(); ++i) {
        const int64_t channel = i % s.channels, pixel = i / s.channels % pixels, b = i / s.channels / pixels;
        last.Data<float>()[i] = c.inputs[0].Data<float>()[(b * s.channels + channel) * pixels + pixel];
      }
      const auto conv = Reference(c, "ChannelsLastConv", {Halves(last), c.inputs[1], c.inputs[2]});
      ASSERT_TRUE(conv.ok()) << conv.status().message();
      CudaCase pool;
      pool.domain = kTamisDomain;
      pool.attributes = {{"kernel_shape", Dims{3, 3}}, {"strides", Dims{2, 2}}, {"pads", Dims{1, 1, 1, 1}}};
      pool.output_dtypes = {DType::kFloat16};
      const auto pooled = Reference(pool, "ChannelsLastMaxPool", {(*conv)[0]});
      ASSERT_TRUE(pooled.ok()) << pooled.status().message();
      c.expected = *pooled;
      EXPECT_GT(Check(c), 1);
      ASSERT_FALSE(HasFailure());
    }
  }
}

// What FuseForCuda makes of two pointwise convolutions. On integers, because z would magnify a rounding of y.
TEST_F(CudaKernels, ChainedConv) {
  CudaRandom random(2037);
  for (const int64_t reduced : {64, 128}) {
    for (const int64_t width : {8, 61, 130}) {  // one tile, some with a tail, several for a block
      for (const bool residual : {true, false}) {
        const Dims image = {3, 30, width};
        const auto rows = [&](int64_t channels) { return Dims{image[0], image[1], image[2], channels}; };
        CudaCase c;
        c.op = "ChainedConv";
        c.domain = kTamisDomain;
        c.exact = true;
        const std::map<std::string, Attribute> conv = {{"output_dtype", kHalf}, {"strides", Dims{1, 1}},
                                                       {"pads", Dims(4, 0)},    {"dilations", Dims{1, 1}},
                                                       {"group", int64_t{1}},   {"activation", std::string("Relu")}};
        c.attributes = conv;
        for (const auto& [key, value] : conv) c.attributes["second_" + key] = value;
        if (!residual) c.attributes["second_activation"] = std::string("");
        c.inputs = {random.Integers(DType::kFloat16, rows(64), 2),
                    random.Integers(DType::kFloat16, {256, 1, 1, 64}, 1),
                    residual ? random.Integers(DType::kFloat32, {256}, 9) : Tensor(),
                    residual ? random.Integers(DType::kFloat16, rows(256), 9) : Tensor(),
                    random.Integers(DType::kFloat16, {reduced, 1, 1, 256}, 1),
                    random.Integers(DType::kFloat32, {reduced}, 9)};
        c.constants = {1, 2, 4, 5};
        c.output_dtypes = {DType::kFloat16, DType::kFloat16};
        CudaCase part;
        part.domain = kTamisDomain;
        part.attributes = conv;
        part.output_dtypes = {DType::kFloat16};
        const auto y = Reference(part, "ChannelsLastConv", {c.inputs.begin(), c.inputs.begin() + 4});
        ASSERT_TRUE(y.ok()) << y.status().message();
        part.attributes["activation"] = c.attributes["second_activation"];
        const auto z = Reference(part, "ChannelsLastConv", {(*y)[0], c.inputs[4], c.inputs[5]});
        ASSERT_TRUE(z.ok()) << z.status().message();
        c.expected = {(*y)[0], (*z)[0]};
        EXPECT_GT(Check(c), 1);
        ASSERT_FALSE(HasFailure());
      }
    }
  }
}

}  // namespace
}  // namespace tamis
