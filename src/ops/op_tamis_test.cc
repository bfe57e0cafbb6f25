// The operators of the tamis domain against compositions of ONNX operators.
#include "src/ops/op_tamis.h"

#include "src/ops/op_testing.h"

namespace tamis {
namespace {

using namespace op_testing;  // NOLINT: the helpers of this folder's tests

double At(const Tensor& tensor, int64_t i) {
  return static_cast<double>(tensor.Data<float>()[i]);
}

Tensor One(const OneNode& node, const std::vector<Tensor>& inputs) {
  auto y = Evaluate(node, inputs);
  EXPECT_TRUE(y.ok()) << y.status().message();
  return y.ok() ? (*y)[0] : Tensor(DType::kFloat32, {});
}

OneNode Tamis(std::string op, Attributes attributes) {
  return {std::move(op), "tamis", std::move(attributes), 1, 1};
}

TEST(LinearTest, EpilogueOrderIsBiasResidualActivation) {
  const Tensor x = Floats({1, 2}, {1, 2});
  const Tensor w = Floats({2, 2}, {1, 1, -1, -1});
  const Tensor bias = Floats({2}, {0.5f, 1});
  const Tensor residual = Floats({1, 2}, {-10, 4});
  EXPECT_EQ(Values(One(Tamis("Linear", {}), {x, w})), (std::vector<float>{3, -3}));
  EXPECT_EQ(Values(One(Tamis("Linear", {}), {x, w, bias, residual})), (std::vector<float>{-6.5f, 2}));
  EXPECT_EQ(Values(One(Tamis("Linear", {{"activation", std::string("Relu")}}), {x, w, bias, residual})),
            (std::vector<float>{0, 2}));
  const Attributes clip = {{"activation", std::string("Clip")}, {"clip_min", -1.0f}, {"clip_max", 1.5f}};
  EXPECT_EQ(Values(One(Tamis("Linear", clip), {x, w, Tensor(), residual})), (std::vector<float>{-1, 1}));
}

TEST(LinearTest, AgreesWithGemm) {
  CaseMaker make(51);
  const Tensor x = make.Floats({6, 37}), w = make.Floats({5, 37}), bias = make.Floats({5});
  const auto gemm = Values(One({"Gemm", "", {{"transB", int64_t{1}}}}, {x, w, bias}));
  ExpectClose(One(Tamis("Linear", {}), {x, w, bias}), {gemm.begin(), gemm.end()}, 38);
  const Tensor y = One(Tamis("Linear", {}), {x.Reshaped({2, 3, 37}), w, bias});
  EXPECT_EQ(y.dims(), (Dims{2, 3, 5}));
  ExpectClose(y, {gemm.begin(), gemm.end()}, 38);
}

TEST(LinearTest, InferAndRefusals) {
  const Dim b = Dim::Symbol("batch");
  EXPECT_EQ(InferText(Tamis("Linear", {}), {F32({b, 128, 384}), F32({1536, 384}), F32({1536})}),
            "float32[batch, 128, 1536]");
  const Type x16 = Type::Tensor(DType::kBFloat16, {b, 8});
  EXPECT_EQ(InferText(Tamis("Linear", {}), {x16, F32({4, 8})}), "bfloat16[batch, 4]");
  EXPECT_EQ(InferText(Tamis("Linear", {{"output_dtype", int64_t{1}}}), {x16, F32({4, 8})}), "float32[batch, 4]");
  const Attributes wrong = {{"activation", std::string("Softmax")}, {"output_dtype", int64_t{7}}};
  EXPECT_NE(InferText(Tamis("Linear", wrong), {F32({2, 8}), F32({4, 8})}).find("output_dtype"), std::string::npos);
  const Attributes unknown = {{"activation", std::string("Softmax")}};
  const std::string error = InferText(Tamis("Linear", unknown), {F32({2, 8}), F32({4, 8}), F32({5}), F32({2, 5})});
  EXPECT_NE(error.find("Softmax"), std::string::npos) << error;
  EXPECT_NE(error.find("input 2"), std::string::npos) << error;
  EXPECT_NE(error.find("input 3"), std::string::npos) << error;
  EXPECT_NE(InferText(Tamis("Linear", {}), {F32({2, 8}), F32({4, 9})}).find("9 features"), std::string::npos);
}

TEST(ChannelsLastConvTest, AgreesWithConvByTransposing) {
  CaseMaker make(52);
  for (const int64_t group : {int64_t{1}, int64_t{2}, int64_t{4}}) {
    const Tensor x = make.Floats({2, 4, 9, 7});
    const Tensor w = make.Floats({8, 4 / group, 3, 2});
    const Tensor bias = make.Floats({8});
    Attributes attributes = {
        {"strides", Dims{2, 1}}, {"pads", Dims{1, 0, 2, 1}}, {"dilations", Dims{1, 2}}, {"group", group}};
    const Tensor conv = One({"Conv", "", attributes}, {x, w, bias});
    const Tensor residual = make.Floats(Permuted(conv, {0, 2, 3, 1}).dims());
    attributes["activation"] = std::string("Relu");
    const Tensor y = One(Tamis("ChannelsLastConv", attributes),
                         {Permuted(x, {0, 2, 3, 1}), Permuted(w, {0, 2, 3, 1}), bias, residual});
    const Tensor conv_last = Permuted(conv, {0, 2, 3, 1});
    ASSERT_EQ(y.dims(), conv_last.dims());
    for (int64_t i = 0; i < y.NumElements(); ++i) {
      const double expected = std::max(At(conv_last, i) + At(residual, i), 0.0);
      // Conv's result is rounded to f32 before the residual; it is a sum of at most 24 products below 1 and a bias.
      ASSERT_NEAR(At(y, i), expected, 26 * 0x1p-23) << "group " << group << ", element " << i;
    }
  }
}

TEST(ChannelsLastConvTest, InferAndRefusals) {
  const Attributes attributes = {
      {"strides", Dims{2, 2}}, {"pads", Dims{3, 3, 3, 3}}, {"dilations", Dims{1, 1}}, {"group", int64_t{1}}};
  EXPECT_EQ(
      InferText(Tamis("ChannelsLastConv", attributes), {F32({Dim::Symbol("b"), 224, 224, 3}), F32({64, 7, 7, 3})}),
      "float32[b, 112, 112, 64]");
  const std::string error =
      InferText(Tamis("ChannelsLastConv", {{"group", int64_t{1}}}), {F32({1, 8, 8, 3}), F32({4, 3, 3, 3})});
  for (const char* missing : {"strides", "pads", "dilations"}) {
    EXPECT_NE(error.find(missing), std::string::npos) << error;
  }
  EXPECT_NE(
      InferText(Tamis("ChannelsLastConv", attributes), {F32({1, 8, 8, 4}), F32({4, 3, 3, 3})}).find("doesn't fit"),
      std::string::npos);
}

TEST(AttentionTest, AgreesWithItsComposition) {
  CaseMaker make(53);
  const int64_t b = 2, s = 5, t = 7, h = 3, d = 4, e = 2;
  const float scale = 0.5f;
  const Tensor q = make.Floats({b, s, h * d}), k = make.Floats({b, t, h * d}), v = make.Floats({b, t, h * e});
  for (const Dims& mask_dims : {Dims{b, 1, 1, t}, Dims{s, t}, Dims{1}}) {
    const Tensor mask = make.Floats(mask_dims, -4, 0);
    const Tensor y = One(Tamis("Attention", {{"num_heads", h}, {"scale", scale}}), {q, k, v, mask});
    ASSERT_EQ(y.dims(), (Dims{b, s, h * e}));

    const Tensor q_heads = Permuted(q.Reshaped({b, s, h, d}), {0, 2, 1, 3});
    const Tensor k_heads = Permuted(k.Reshaped({b, t, h, d}), {0, 2, 3, 1});
    const Tensor v_heads = Permuted(v.Reshaped({b, t, h, e}), {0, 2, 1, 3});
    Tensor scores = One({"MatMul", "", {}}, {q_heads, k_heads});
    for (int64_t i = 0; i < scores.NumElements(); ++i) {
      const int64_t key = i % t, query = i / t % s, batch = i / (t * s * h);
      const int64_t at = mask_dims.size() == 4 ? batch * t + key : mask_dims.size() == 2 ? query * t + key : 0;
      scores.Data<float>()[i] = scale * scores.Data<float>()[i] + mask.Data<float>()[at];
    }
    const Tensor weights = One({"Softmax", "", {}}, {scores});
    const Tensor heads = One({"MatMul", "", {}}, {weights, v_heads});
    const auto expected = Values(Permuted(heads, {0, 2, 1, 3}));
    // Scores below 6 in magnitude are rounded to f32 on the way: a relative error of 6 * 2^-22 in each weight.
    for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(Values(y)[i], expected[i], 0x1p-18) << i;
  }
}

TEST(AttentionTest, InferAndRefusals) {
  const Dim b = Dim::Symbol("batch"), s = Dim::Symbol("seq");
  const Attributes attributes = {{"num_heads", int64_t{12}}, {"scale", 0.125f}};
  const Type x = F32({b, s, 384});
  EXPECT_EQ(InferText(Tamis("Attention", attributes), {x, x, x, F32({b, 1, 1, s})}), "float32[batch, seq, 384]");
  EXPECT_NE(InferText(Tamis("Attention", {}), {x, x, x}).find("num_heads"), std::string::npos);
  EXPECT_NE(
      InferText(Tamis("Attention", attributes), {F32({1, 2, 100}), F32({1, 2, 100}), F32({1, 2, 100})}).find("divide"),
      std::string::npos);
  EXPECT_NE(InferText(Tamis("Attention", attributes), {F32({1, 2, 24}), F32({1, 3, 24}), F32({1, 3, 24}), F32({2, 2})})
                .find("mask"),
            std::string::npos);
}

TEST(MaskedMeanTest, ByHandForEveryMaskType) {
  const Tensor x = Floats({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  const std::vector<int64_t> mask = {1, 1, 0, 1};
  const std::vector<float> expected = {2, 3, 7, 8};
  const OneNode node = Tamis("MaskedMean", {{"epsilon", 1e-9f}});
  EXPECT_EQ(Values(One(node, {x, Tensor::Of<int64_t>(DType::kInt64, {2, 2}, mask)})), expected);
  EXPECT_EQ(Values(One(node, {x, Floats({2, 2}, {1, 1, 0, 1})})), expected);
  const std::vector<uint8_t> bits = {1, 1, 0, 1};
  EXPECT_EQ(Values(One(node, {x, Tensor::Of<uint8_t>(DType::kBool, {2, 2}, bits)})), expected);
  const Tensor nothing(DType::kInt64, {2, 2});
  EXPECT_EQ(Values(One(node, {x, nothing})), (std::vector<float>{0, 0, 0, 0}));
  EXPECT_EQ(InferText(node, {F32({Dim::Symbol("b"), Dim::Symbol("s"), 384}),
                             Type::Tensor(DType::kInt64, {Dim::Symbol("b"), Dim::Symbol("s")})}),
            "float32[b, 384]");
  EXPECT_NE(InferText(node, {F32({2, 3, 4}), F32({2, 4})}).find("input 1"), std::string::npos);
}

TEST(L2NormalizeTest, DividesByTheNormOrEpsilon) {
  const OneNode node = Tamis("L2Normalize", {{"epsilon", 0.5f}});
  EXPECT_EQ(Values(One(node, {Floats({2, 2}, {3, 4, 0.25f, 0})})), (std::vector<float>{0.6f, 0.8f, 0.5f, 0}));
  EXPECT_EQ(InferText(node, {F32({Dim::Symbol("b"), 384})}), "float32[b, 384]");
  EXPECT_NE(InferText(node, {F32({})}).find("at least 1"), std::string::npos);
}

// An engine file may say anything; kernels take zero points for codes.
TEST(QuantizedTest, ZeroPointsAreCodes) {
  const std::vector<Type> operands = {Type::Tensor(DType::kUInt8, {Dim(2), Dim(4)}),
                                      Type::Tensor(DType::kInt8, {Dim(3), Dim(4)}), F32({Dim(3)})};
  Attributes attributes = {{"x_zero_point", int64_t{255}},
                           {"y_dtype", static_cast<int64_t>(DType::kInt8)},
                           {"y_scale", 0.1f},
                           {"y_zero_point", int64_t{-128}}};
  EXPECT_EQ(InferText(Tamis("QuantizedLinear", attributes), operands),
            Type::Tensor(DType::kInt8, {Dim(2), Dim(3)}).ToString());
  attributes["x_zero_point"] = int64_t{256};
  attributes["y_zero_point"] = int64_t{1} << 60;
  const std::string wrong = InferText(Tamis("QuantizedLinear", attributes), operands);
  EXPECT_NE(wrong.find("'x_zero_point' is 256, must be a code in [0, 255]"), std::string::npos) << wrong;
  EXPECT_NE(wrong.find("'y_zero_point' is 1152921504606846976, must be a code in [-128, 127]"), std::string::npos);
}

}  // namespace
}  // namespace tamis
