// Gemm, MatMul and Einsum against sums written out here, and against each other.
#include "src/ops/op_testing.h"

namespace tamis {
namespace {

using namespace op_testing;  // NOLINT: the helpers of this folder's tests

double At(const Tensor& tensor, int64_t i) {
  return static_cast<double>(tensor.Data<float>()[i]);
}

TEST(GemmTest, EveryTransposeAndBias) {
  CaseMaker make(21);
  const int64_t m = 4, k = 9, n = 3;
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      for (const Dims& c_dims : {Dims{}, Dims{3}, Dims{4, 1}, Dims{1, 3}, Dims{4, 3}, Dims{1}}) {
        const Tensor a = make.Floats(ta ? Dims{k, m} : Dims{m, k});
        const Tensor b = make.Floats(tb ? Dims{n, k} : Dims{k, n});
        const Tensor c = make.Floats(c_dims);
        const Attributes attributes = {
            {"transA", int64_t{ta}}, {"transB", int64_t{tb}}, {"alpha", 0.5f}, {"beta", -2.0f}};
        const auto y = Evaluate({"Gemm", "", attributes}, {a, b, c});
        ASSERT_TRUE(y.ok()) << y.status().message();
        std::vector<double> expected;
        for (int64_t i = 0; i < m; ++i) {
          for (int64_t j = 0; j < n; ++j) {
            double sum = 0;
            for (int64_t p = 0; p < k; ++p)
              sum += At(a, ta ? p * m + i : i * k + p) * At(b, tb ? j * k + p : p * n + j);
            const int64_t row = c_dims.size() == 2 && c_dims[0] > 1 ? i * c_dims[1] : 0;
            const int64_t column = !c_dims.empty() && c_dims.back() > 1 ? j : 0;
            expected.push_back(0.5 * sum - 2 * At(c, row + column));
          }
        }
        ExpectClose((*y)[0], expected, static_cast<double>(k) + 2);
      }
    }
  }
}

TEST(GemmTest, InferAndRefusals) {
  const OneNode gemm{"Gemm", "", {{"transB", int64_t{1}}}};
  EXPECT_EQ(InferText(gemm, {F32({Dim::Symbol("batch"), 512}), F32({1000, 512}), F32({1000})}), "float32[batch, 1000]");
  EXPECT_EQ(InferText(gemm, {F32({Dim::Symbol("batch"), 512}), F32({1000, 512}), Type()}), "float32[batch, 1000]");
  EXPECT_NE(InferText(gemm, {F32({2, 512}), F32({1000, 511})}).find("inner dimensions differ"), std::string::npos);
  EXPECT_NE(InferText(gemm, {F32({2, 512}), F32({1000, 512}), F32({999})}).find("broadcast"), std::string::npos);
  const OneNode old{"Gemm", "", {}, 9};
  EXPECT_NE(InferText(old, {F32({2, 3}), F32({3, 4})}).find("input 2 is missing"), std::string::npos);
}

TEST(MatMulTest, BroadcastsBatches) {
  CaseMaker make(22);
  const Tensor a = make.Floats({2, 1, 3, 5});
  const Tensor b = make.Floats({4, 5, 2});
  const auto y = Evaluate({"MatMul", "", {}}, {a, b});
  ASSERT_TRUE(y.ok()) << y.status().message();
  ASSERT_EQ((*y)[0].dims(), (Dims{2, 4, 3, 2}));
  std::vector<double> expected;
  for (int64_t i = 0; i < 2 * 4 * 3 * 2; ++i) {
    const int64_t column = i % 2, row = i / 2 % 3, t = i / 6 % 4, s = i / 24;
    double sum = 0;
    for (int64_t p = 0; p < 5; ++p) sum += At(a, (s * 3 + row) * 5 + p) * At(b, (t * 5 + p) * 2 + column);
    expected.push_back(sum);
  }
  ExpectClose((*y)[0], expected, 5);
}

TEST(MatMulTest, VectorsLoseTheirDimension) {
  const Tensor v = Floats({3}, {1, 2, 3});
  const Tensor m = Floats({3, 2}, {1, 2, 3, 4, 5, 6});
  const auto row = Evaluate({"MatMul", "", {}}, {v, m});
  EXPECT_EQ((*row)[0].dims(), (Dims{2}));
  EXPECT_EQ(Values((*row)[0]), (std::vector<float>{22, 28}));
  const auto column = Evaluate({"MatMul", "", {}}, {Permuted(m, {1, 0}), v});
  EXPECT_EQ(Values((*column)[0]), (std::vector<float>{22, 28}));
  const auto dot = Evaluate({"MatMul", "", {}}, {v, v});
  EXPECT_EQ((*dot)[0].dims(), Dims{});
  EXPECT_EQ(Values((*dot)[0]), (std::vector<float>{14}));
}

TEST(MatMulTest, IntegersWrap) {
  const std::vector<int32_t> big = {2147483647, 2147483647};
  const std::vector<int32_t> two = {1, 1};
  const auto y = Evaluate({"MatMul", "", {}}, {Tensor::Of<int32_t>(DType::kInt32, {1, 2}, big),
                                               Tensor::Of<int32_t>(DType::kInt32, {2, 1}, two)});
  ASSERT_TRUE(y.ok()) << y.status().message();
  EXPECT_EQ((*y)[0].Data<int32_t>()[0], -2);
}

TEST(MatMulTest, HalfOperandsGiveHalfResults) {
  const std::vector<uint16_t> one = {0x3f80, 0x4000};  // bfloat16 1 and 2
  const Tensor x = Tensor::Of<uint16_t>(DType::kBFloat16, {1, 2}, one);
  const auto y = Evaluate({"MatMul", "", {}}, {x, x.Reshaped({2, 1})});
  ASSERT_TRUE(y.ok()) << y.status().message();
  ASSERT_EQ((*y)[0].dtype(), DType::kBFloat16);
  EXPECT_EQ((*y)[0].Data<uint16_t>()[0], 0x40a0);  // 5
}

TEST(MatMulTest, InferKeepsSymbols) {
  const Dim b = Dim::Symbol("batch"), s = Dim::Symbol("seq");
  EXPECT_EQ(InferText({"MatMul", "", {}}, {F32({b, s, 384}), F32({384, 1536})}), "float32[batch, seq, 1536]");
  EXPECT_EQ(InferText({"MatMul", "", {}}, {F32({b, 12, s, 32}), F32({b, 12, 32, s})}), "float32[batch, 12, seq, seq]");
  EXPECT_EQ(InferText({"MatMul", "", {}}, {F32({1, 2, 3}), F32({b, 3, 4})}), "float32[batch, 2, 4]");
  EXPECT_NE(InferText({"MatMul", "", {}}, {F32({2, 3}), F32({4, 5})}).find("doesn't fit"), std::string::npos);
  EXPECT_NE(InferText({"MatMul", "", {}}, {F32({2, 2, 3}), F32({3, 3, 5})}).find("don't broadcast"), std::string::npos);
  EXPECT_NE(InferText({"MatMul", "", {}}, {F32({}), F32({3, 5})}).find("at least 1 dim"), std::string::npos);
}

Tensor Einsum(const char* equation, const std::vector<Tensor>& inputs) {
  auto y = Evaluate({"Einsum", "", {{"equation", std::string(equation)}}}, inputs);
  EXPECT_TRUE(y.ok()) << equation << ": " << y.status().message();
  return y.ok() ? (*y)[0] : Tensor(DType::kFloat32, {});
}

TEST(EinsumTest, AgreesWithMatMul) {
  CaseMaker make(23);
  const Tensor q = make.Floats({2, 3, 5, 4});
  const Tensor k = make.Floats({2, 3, 7, 4});
  const auto expected = Evaluate({"MatMul", "", {}}, {q, Permuted(k, {0, 1, 3, 2})});
  ASSERT_TRUE(expected.ok());
  const auto reference = Values((*expected)[0]);
  for (const char* equation : {"bhsd,bhtd->bhst", "...sd,...td->...st", " bhsd , bhtd -> bhst "}) {
    const Tensor y = Einsum(equation, {q, k});
    ASSERT_EQ(y.dims(), (Dims{2, 3, 5, 7}));
    ExpectClose(y, {reference.begin(), reference.end()}, 4 * 0x1p21);  // both are rounded to f32
  }
}

TEST(EinsumTest, Forms) {
  const Tensor m = Floats({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor square = Floats({2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(Values(Einsum("ij->ji", {m})), (std::vector<float>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(Values(Einsum("ba", {m})), (std::vector<float>{1, 4, 2, 5, 3, 6}));  // implicit: alphabetical
  EXPECT_EQ(Values(Einsum("ij->i", {m})), (std::vector<float>{6, 15}));
  EXPECT_EQ(Values(Einsum("ij->", {m})), (std::vector<float>{21}));
  EXPECT_EQ(Values(Einsum("ii->i", {square})), (std::vector<float>{1, 4}));
  EXPECT_EQ(Values(Einsum("ii", {square})), (std::vector<float>{5}));
  EXPECT_EQ(Values(Einsum("i,j->ij", {Floats({2}, {1, 2}), Floats({2}, {3, 4})})), (std::vector<float>{3, 4, 6, 8}));
  EXPECT_EQ(Values(Einsum("ij,jk,kl->il", {square, square, square})), (std::vector<float>{37, 54, 81, 118}));
}

TEST(EinsumTest, InferAndRefusals) {
  const auto einsum = [](const char* equation) { return OneNode{"Einsum", "", {{"equation", std::string(equation)}}}; };
  EXPECT_EQ(InferText(einsum("bij,jk->bik"), {F32({Dim::Symbol("n"), 3, 4}), F32({4, 5})}), "float32[n, 3, 5]");
  EXPECT_NE(InferText(einsum("ij,jk"), {F32({2, 3}), F32({4, 5})}).find("size 4"), std::string::npos);
  EXPECT_NE(InferText(einsum("ij->ik"), {F32({2, 3})}).find("no input has"), std::string::npos);
  EXPECT_NE(InferText(einsum("ij->ii"), {F32({2, 3})}).find("twice"), std::string::npos);
  EXPECT_NE(InferText(einsum("ijk->i"), {F32({2, 3})}).find("2 dimensions"), std::string::npos);
  EXPECT_NE(InferText(einsum("i2->i"), {F32({2, 3})}).find("letters"), std::string::npos);
  EXPECT_NE(InferText(einsum("i,j->i"), {F32({2})}).find("2 terms"), std::string::npos);
}

}  // namespace
}  // namespace tamis
