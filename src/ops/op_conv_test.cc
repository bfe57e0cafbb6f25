// Conv and ConvTranspose against the definition and against each other.
#include "src/ops/op_testing.h"

namespace tamis {
namespace {

using namespace op_testing;  // NOLINT: the helpers of this folder's tests

struct Conv2d {
  int64_t stride = 1, dilation = 1, pad_begin = 0, pad_end = 0, group = 1;
};

// The definition of a 2-D convolution, element by element; `*magnitude` is the largest sum of absolute terms.
std::vector<double> NaiveConv(const Tensor& x, const Tensor& w, const Tensor& b, const Conv2d& p, double* magnitude) {
  const int64_t c_in = w.dim(1);
  const auto out = [&](int64_t axis) {
    return (x.dim(axis) + p.pad_begin + p.pad_end - (w.dim(axis) - 1) * p.dilation - 1) / p.stride + 1;
  };
  std::vector<double> y;
  for (int64_t n = 0; n < x.dim(0); ++n) {
    for (int64_t m = 0; m < w.dim(0); ++m) {
      for (int64_t oy = 0; oy < out(2); ++oy) {
        for (int64_t ox = 0; ox < out(3); ++ox) {
          double sum = b.Defined() ? b.Data<float>()[m] : 0;
          double absolute = std::abs(sum);
          for (int64_t c = 0; c < c_in; ++c) {
            for (int64_t ky = 0; ky < w.dim(2); ++ky) {
              for (int64_t kx = 0; kx < w.dim(3); ++kx) {
                const int64_t iy = oy * p.stride + ky * p.dilation - p.pad_begin;
                const int64_t ix = ox * p.stride + kx * p.dilation - p.pad_begin;
                if (iy < 0 || ix < 0 || iy >= x.dim(2) || ix >= x.dim(3)) continue;
                const int64_t channel = m / (w.dim(0) / p.group) * c_in + c;
                const double term =
                    static_cast<double>(x.Data<float>()[((n * x.dim(1) + channel) * x.dim(2) + iy) * x.dim(3) + ix]) *
                    static_cast<double>(w.Data<float>()[((m * c_in + c) * w.dim(2) + ky) * w.dim(3) + kx]);
                sum += term;
                absolute += std::abs(term);
              }
            }
          }
          y.push_back(sum);
          *magnitude = std::max(*magnitude, absolute);
        }
      }
    }
  }
  return y;
}

TEST(ConvTest, MatchesTheDefinition) {
  CaseMaker make(11);
  for (const Conv2d& p : {Conv2d{}, Conv2d{2, 1, 1, 1, 1}, Conv2d{1, 2, 0, 3, 2}, Conv2d{3, 1, 2, 0, 4}}) {
    const Tensor x = make.Floats({2, 4, 9, 8});
    const Tensor w = make.Floats({8, 4 / p.group, 3, 2});
    const Tensor b = p.stride == 2 ? Tensor() : make.Floats({8});
    const Dims pads = {p.pad_begin, p.pad_begin, p.pad_end, p.pad_end};
    const auto y = Evaluate({"Conv",
                             "",
                             {{"strides", Dims{p.stride, p.stride}},
                              {"dilations", Dims{p.dilation, p.dilation}},
                              {"pads", pads},
                              {"group", p.group}}},
                            {x, w, b});
    ASSERT_TRUE(y.ok()) << y.status().message();
    double magnitude = 0;
    const auto expected = NaiveConv(x, w, b, p, &magnitude);
    ExpectClose((*y)[0], expected, magnitude);
  }
}

TEST(ConvTest, SamePaddingPutsTheOddElementWhereAsked) {
  const Tensor x = Floats({1, 1, 4}, {1, 2, 3, 4});
  const Tensor w = Floats({1, 1, 2}, {1, 10});
  const auto conv = [&](const char* pad) { return Evaluate({"Conv", "", {{"auto_pad", std::string(pad)}}}, {x, w}); };
  EXPECT_EQ(Values((*conv("SAME_UPPER"))[0]), (std::vector<float>{21, 32, 43, 4}));
  EXPECT_EQ(Values((*conv("SAME_LOWER"))[0]), (std::vector<float>{10, 21, 32, 43}));
  EXPECT_EQ(Values((*conv("VALID"))[0]), (std::vector<float>{21, 32, 43}));
}

TEST(ConvTest, InferKeepsSymbols) {
  const OneNode conv{"Conv", "", {{"strides", Dims{2, 2}}, {"pads", Dims{1, 1, 1, 1}}}};
  const Dim batch = Dim::Symbol("batch");
  EXPECT_EQ(InferText(conv, {F32({batch, 3, 224, 224}), F32({64, 3, 3, 3})}), "float32[batch, 64, 112, 112]");
  const auto types = Infer(conv, {F32({batch, 3, Dim::Symbol("h"), 8}), F32({64, 3, 3, 3})});
  ASSERT_TRUE(types.ok()) << types.status().message();
  EXPECT_EQ((*types)[0].shape[2].Evaluate({{"h", 9}}), 5);
  EXPECT_EQ((*types)[0].shape[2].Evaluate({{"h", 10}}), 5);
  EXPECT_EQ((*types)[0].shape[3], Dim(4));
}

TEST(ConvTest, RefusalsNameEveryProblem) {
  const OneNode conv{"Conv", "", {{"strides", Dims{0, 1}}, {"pads", Dims{1}}}};
  const std::string error = InferText(conv, {F32({1, 3, 8, 8}), F32({4, 3, 3, 3})});
  EXPECT_NE(error.find("strides"), std::string::npos) << error;
  EXPECT_NE(error.find("pads"), std::string::npos) << error;
  EXPECT_NE(ErrorOf({"Conv", "", {}}, {Tensor(DType::kFloat32, {1, 3, 8, 8}), Tensor(DType::kFloat32, {4, 2, 3, 3})})
                .find("channels"),
            std::string::npos);
  EXPECT_NE(ErrorOf({"Conv", "", {}}, {Tensor(DType::kFloat32, {1, 1, 2}), Tensor(DType::kFloat32, {1, 1, 3})})
                .find("spans 3"),
            std::string::npos);
  EXPECT_NE(ErrorOf({"Conv", "", {}}, {Tensor(DType::kFloat32, {1, 1, 2})}).find("input 1 is missing"),
            std::string::npos);
}

TEST(ConvTest, RefusesSizesThatOverflow) {
  const int64_t huge = int64_t{1} << 40;
  const std::string error = InferText({"Conv", "", {}}, {F32({huge, 1, 8}), F32({huge, 1, 1})});
  EXPECT_NE(error.find("too large"), std::string::npos) << error;
}

// <conv(x), y> == <x, conv_transpose(y)> defines the transposed convolution.
TEST(ConvTransposeTest, IsTheAdjointOfConv) {
  CaseMaker make(12);
  const Attributes attributes = {{"strides", Dims{2, 3}}, {"pads", Dims{1, 0, 1, 2}}, {"group", int64_t{2}}};
  const Tensor x = make.Floats({1, 4, 9, 10});
  const Tensor w = make.Floats({6, 2, 3, 3});
  const auto forward = Evaluate({"Conv", "", attributes}, {x, w});
  ASSERT_TRUE(forward.ok()) << forward.status().message();
  const Tensor y = make.Floats((*forward)[0].dims());
  const auto back = Evaluate({"ConvTranspose", "", attributes}, {y, w});
  ASSERT_TRUE(back.ok()) << back.status().message();
  ASSERT_EQ((*back)[0].dims(), x.dims());
  double left = 0, right = 0, magnitude = 0;
  for (int64_t i = 0; i < y.NumElements(); ++i) {
    const double term = static_cast<double>((*forward)[0].Data<float>()[i]) * static_cast<double>(y.Data<float>()[i]);
    left += term;
    magnitude += std::abs(term);
  }
  for (int64_t i = 0; i < x.NumElements(); ++i) {
    right += static_cast<double>((*back)[0].Data<float>()[i]) * static_cast<double>(x.Data<float>()[i]);
    magnitude += std::abs(static_cast<double>((*back)[0].Data<float>()[i]));
  }
  EXPECT_NEAR(left, right, magnitude * 0x1p-23);
}

TEST(ConvTransposeTest, RefusesAGroupThatNoChannelBounds) {
  const int64_t group = int64_t{1} << 40;
  const std::string error = ErrorOf({"ConvTranspose", "", {{"group", group}}},
                                    {Tensor(DType::kFloat32, {1, 0, 4}), Tensor(DType::kFloat32, {0, 3, 1})});
  EXPECT_NE(error.find("no input channels"), std::string::npos) << error;
}

TEST(ConvTransposeTest, OutputShapeAndOutputPadding) {
  const Tensor x = Floats({1, 1, 2}, {1, 2});
  const Tensor w = Floats({1, 1, 3}, {1, 10, 100});
  const auto plain = Evaluate({"ConvTranspose", "", {{"strides", Dims{2}}}}, {x, w, Floats({1}, {0.5f})});
  EXPECT_EQ(Values((*plain)[0]), (std::vector<float>{1.5f, 10.5f, 102.5f, 20.5f, 200.5f}));
  const auto longer = Evaluate({"ConvTranspose", "", {{"strides", Dims{2}}, {"output_padding", Dims{1}}}}, {x, w});
  EXPECT_EQ(Values((*longer)[0]), (std::vector<float>{1, 10, 102, 20, 200, 0}));
  const auto shaped = Evaluate({"ConvTranspose", "", {{"strides", Dims{2}}, {"output_shape", Dims{4}}}}, {x, w});
  EXPECT_EQ(Values((*shaped)[0]), (std::vector<float>{10, 102, 20, 200}));
  EXPECT_EQ(InferText({"ConvTranspose", "", {{"strides", Dims{2}}}}, {F32({1, 1, Dim::Symbol("n")}), F32({1, 1, 3})}),
            "float32[1, 1, 2*n + 1]");
}

}  // namespace
}  // namespace tamis
