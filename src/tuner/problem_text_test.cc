#include "src/tuner/problem_text.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

namespace tamis {
namespace {

TEST(RandomTensor, FollowsThePattern) {
  for (const int64_t k : {4, 8, 13, 64}) {
    const Tensor tensor = RandomTensor(DType::kFloat32, {5, k}, Pattern::kTwoFour, 3);
    for (int64_t row = 0; row < 5; ++row) {
      for (int64_t group = 0; group < (k + 3) / 4; ++group) {
        int kept = 0;
        for (int64_t i = group * 4; i < std::min(k, group * 4 + 4); ++i) kept += tensor.Data<float>()[row * k + i] != 0;
        EXPECT_LE(kept, 2) << "k " << k << " row " << row << " group " << group;
      }
    }
  }
}

// With 32 groups a row, or a multiple, what is drawn must not depend on the group alone.
TEST(RandomTensor, OutputsArePartnersOnlyWhereAsked) {
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16, DType::kInt8}) {
    for (const Dims& dims : {Dims{64, 128}, Dims{48, 3, 3, 64}}) {
      EXPECT_FALSE(HasPairs(RandomTensor(dtype, dims, Pattern::kTwoFour, 5)));
      EXPECT_TRUE(HasPairs(RandomTensor(dtype, dims, Pattern::kTwoFour, 5, true)));
      EXPECT_FALSE(HasPairs(RandomTensor(dtype, dims, Pattern::kDense, 5)));
    }
  }
}

// What w * mask leaves where w was negative.
TEST(HasPairs, NegativeZerosAreNotKept) {
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16, DType::kFloat16}) {
    for (const bool pairs : {false, true}) {
      Tensor weight = RandomTensor(dtype, {64, 128}, Pattern::kTwoFour, 5, pairs);
      int64_t negative = 0;
      for (int64_t i = 0; i < weight.NumElements(); i += 3) {
        if (dtype == DType::kFloat32) {
          float& w = weight.Data<float>()[i];
          negative += w == 0;
          w = w == 0 ? -0.0F : w;
        } else {
          uint16_t& w = weight.Data<uint16_t>()[i];
          negative += w == 0;
          w = w == 0 ? uint16_t{0x8000} : w;
        }
      }
      EXPECT_GT(negative, 1000);
      EXPECT_EQ(HasPairs(weight), pairs) << Name(dtype);
    }
  }
}

TEST(ProblemText, PairsTravelWithTheProblem) {
  Node node;
  node.op = "Linear";
  node.domain = kTamisDomain;
  std::string texts[2];
  for (const bool pairs : {false, true}) {
    const Tensor weight = RandomTensor(DType::kFloat32, {32, 64}, Pattern::kTwoFour, 1, pairs);
    Problem problem;
    problem.node = &node;
    problem.inputs = {{DType::kFloat32, {5, 64}, nullptr, 0, Pattern::kDense},
                      {DType::kFloat32, weight.dims(), &weight, 5, Pattern::kTwoFour}};
    problem.outputs = {{DType::kFloat32, {5, 32}, nullptr, 0, Pattern::kDense}};
    texts[pairs ? 1 : 0] = ProblemToText(problem);
    const auto owned = ProblemFromText(texts[pairs ? 1 : 0], 7);
    ASSERT_TRUE(owned.ok()) << owned.status().message();
    EXPECT_EQ(HasPairs((*owned)->constants[1]), pairs);
  }
  EXPECT_NE(texts[0], texts[1]);
}

// Bounds of one side, and what a maximum begins with.
TEST(ProblemText, InfinitiesTravelWithTheProblem) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Node node;
  node.op = "Chain";
  node.domain = kTamisDomain;
  node.attributes["alpha"] = -kInfinity;
  const std::vector<float> constants = {0.5F, kInfinity, -kInfinity};
  node.attributes["constants"] = constants;
  Problem problem;
  problem.node = &node;
  problem.inputs = {{DType::kFloat32, {5, 64}, nullptr, 0, Pattern::kDense}};
  problem.outputs = problem.inputs;
  const auto owned = ProblemFromText(ProblemToText(problem), 7);
  ASSERT_TRUE(owned.ok()) << owned.status().message();
  EXPECT_EQ(std::get<float>((*owned)->node.attributes.at("alpha")), -kInfinity);
  EXPECT_EQ(std::get<std::vector<float>>((*owned)->node.attributes.at("constants")), constants);
}

TEST(ProblemText, CalibrationMakesNoOtherProblem) {
  Node node;
  node.op = "QuantizedLinear";
  node.domain = kTamisDomain;
  Problem problem;
  problem.node = &node;
  const auto text = [&](float scale, int64_t zero, int64_t code, int64_t dtype) {
    node.attributes = {
        {"y_scale", scale}, {"x_zero_point", zero}, {"table", std::vector<int64_t>(256, code)}, {"y_dtype", dtype}};
    return ProblemToText(problem);
  };
  EXPECT_EQ(text(0.1f, 7, 1, 2), text(0.2f, 120, 9, 2));
  EXPECT_NE(text(0.1f, 7, 1, 2), text(0.1f, 0, 1, 2));
  EXPECT_NE(text(0.1f, 7, 1, 2), text(0.1f, 7, 1, 3));

  node.op = "Attention";
  const auto attention = [&](float scale, float q_scale, int64_t zero) {
    node.attributes = {{"scale", scale}, {"q_scale", q_scale}, {"q_zero_point", zero}};
    return ProblemToText(problem);
  };
  EXPECT_EQ(attention(0.1f, 0.2f, 7), attention(0.1f, 0.3f, 9));
  EXPECT_NE(attention(0.1f, 0.2f, 7), attention(0.2f, 0.2f, 7));
}

TEST(ProblemText, RoundTrip) {
  Node node;
  node.op = "ChannelsLastConv";
  node.domain = kTamisDomain;
  node.attributes = {{"strides", std::vector<int64_t>{2, 1}},
                     {"activation", std::string("Clip\"x")},
                     {"clip_max", 6.0f},
                     {"group", int64_t{1}}};
  const Tensor weight = RandomTensor(DType::kBFloat16, {8, 3, 3, 12}, Pattern::kTwoFour, 1);
  const std::vector<int64_t> elements = {-1, 7};
  const Tensor axes = Tensor::Int64s(elements);
  Problem problem;
  problem.node = &node;
  problem.threads = 3;
  problem.inputs = {{DType::kBFloat16, {1, 9, 9, 12}, nullptr, 0, Pattern::kDense},
                    {DType::kBFloat16, weight.dims(), &weight, 5, Pattern::kTwoFour},
                    {},
                    {DType::kInt64, {2}, &axes, 6, Pattern::kDense}};
  problem.outputs = {{DType::kFloat32, {1, 5, 9, 8}, nullptr, 0, Pattern::kDense}};
  const std::string text = ProblemToText(problem);
  const auto owned = ProblemFromText(text, 7);
  ASSERT_TRUE(owned.ok()) << owned.status().message();
  EXPECT_EQ(ProblemToText((*owned)->problem), text);
  EXPECT_EQ((*owned)->constants[3].ToInt64s(), elements);
  EXPECT_FALSE((*owned)->problem.input(2).Present());
}

// Kernels take QuantizeLinear where its zero point is 0.
TEST(ProblemText, ZeroPointsOfFloat8Travel) {
  Node node;
  node.op = "QuantizeLinear";
  const Tensor scale = Tensor::Float(0.5f);
  Tensor zero(DType::kFloat8E4M3, Dims{});
  for (const int code : {0, 0x38}) {
    zero.raw()[0] = static_cast<std::byte>(code);
    Problem problem;
    problem.node = &node;
    problem.inputs = {{DType::kFloat16, {2, 8}, nullptr, 0, Pattern::kDense},
                      {DType::kFloat32, {}, &scale, 1, Pattern::kDense},
                      {DType::kFloat8E4M3, {}, &zero, 2, Pattern::kDense}};
    problem.outputs = {{DType::kFloat8E4M3, {2, 8}, nullptr, 0, Pattern::kDense}};
    const auto owned = ProblemFromText(ProblemToText(problem), 7);
    ASSERT_TRUE(owned.ok()) << owned.status().message();
    EXPECT_EQ((*owned)->constants[2].raw()[0], zero.raw()[0]);
  }
}

TEST(ProblemText, GarbageIsRefused) {
  for (const char* text :
       {"", "{}", "{\"op\":1}", "nonsense",
        R"({"op":"A","domain":"","attributes":{},"inputs":[{"dtype":1}],"outputs":[],"threads":1})"}) {
    EXPECT_FALSE(ProblemFromText(text, 1).ok()) << text;
  }
}

TEST(RandomTensor, CodesOfFloat8AreNumbersAndKeepThePattern) {
  const Tensor weight = RandomTensor(DType::kFloat8E4M3, {32, 64}, Pattern::kTwoFour, 5);
  int zeros = 0;
  std::set<std::byte> codes;
  for (int64_t i = 0; i < weight.NumElements(); ++i) {
    const std::byte code = weight.raw()[i];
    EXPECT_NE(code & std::byte{0x7f}, std::byte{0x7f}) << "NaN";
    zeros += (code & std::byte{0x7f}) == std::byte{0} ? 1 : 0;
    codes.insert(code);
  }
  EXPECT_GE(zeros, 32 * 32);
  EXPECT_LT(zeros, 32 * 40);
  EXPECT_GT(codes.size(), 50u);
}

}  // namespace
}  // namespace tamis
