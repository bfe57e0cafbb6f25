#include <gtest/gtest.h>

#include <cmath>

#include "src/ops/op_evaluate_one.h"

namespace tamis {
namespace {

using namespace op_values;  // NOLINT: the tests read as tables
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

std::string Unary(const std::string& op, std::vector<float> values, std::map<std::string, Attribute> attributes = {}) {
  return Text(OneOp{op, std::move(attributes)}({Of<float>(std::move(values))}));
}

TEST(OpElementwise, UnaryValues) {
  EXPECT_EQ(Unary("Abs", {-1.5f, 0, 2}), "float32[3] {1.5, 0, 2}");
  EXPECT_EQ(Unary("Neg", {-1.5f, 2}), "float32[2] {1.5, -2}");
  EXPECT_EQ(Unary("Sqrt", {4, 2.25f}), "float32[2] {2, 1.5}");
  EXPECT_EQ(Unary("Relu", {-1, 0, 3}), "float32[3] {0, 0, 3}");
  EXPECT_EQ(Unary("LeakyRelu", {-2, 3}, {{"alpha", 0.25f}}), "float32[2] {-0.5, 3}");
  EXPECT_EQ(Unary("HardSigmoid", {-4, 0, 1, 4}, {{"alpha", 0.25f}}), "float32[4] {0, 0.5, 0.75, 1}");
  EXPECT_EQ(Unary("HardSwish", {-4, 0, 3, 4}), "float32[4] {-0, 0, 3, 4}");
  EXPECT_EQ(Unary("Reciprocal", {4, -0.5f}), "float32[2] {0.25, -2}");
  EXPECT_EQ(Unary("Floor", {-1.5f, 1.5f}), "float32[2] {-2, 1}");
  EXPECT_EQ(Unary("Ceil", {-1.5f, 1.5f}), "float32[2] {-1, 2}");
  EXPECT_EQ(Unary("Round", {0.5f, 1.5f, 2.5f, -2.5f, 2.6f}), "float32[5] {0, 2, 2, -2, 3}");
  EXPECT_EQ(Unary("Sign", {-3, 0, 7, kNan}), "float32[4] {-1, 0, 1, nan}");
  EXPECT_EQ(Unary("IsNaN", {1, kNan, kInf}), "bool[3] {0, 1, 0}");
  EXPECT_EQ(Unary("Exp", {0, -kInf}), "float32[2] {1, 0}");
  EXPECT_EQ(Unary("Log", {1, 0}), "float32[2] {0, -inf}");
  EXPECT_EQ(Unary("Tanh", {0, 40}), "float32[2] {0, 1}");
  EXPECT_EQ(Unary("Sigmoid", {0, 200, -200}), "float32[3] {0.5, 1, 0}");
  EXPECT_EQ(Unary("Softplus", {200, -200}), "float32[2] {200, 0}");
  EXPECT_EQ(Unary("Elu", {2, -200}, {{"alpha", 3.0f}}), "float32[2] {2, -3}");
}

TEST(OpElementwise, TranscendentalsAreCorrectlyRounded) {
  const std::vector<float> x = {-2.25f, -0.5f, 0.125f, 1, 3.5f};
  const std::vector<std::pair<std::string, double (*)(double)>> functions = {
      {"Erf", std::erf}, {"Sin", std::sin}, {"Cos", std::cos}, {"Exp", std::exp}, {"Tanh", std::tanh}};
  for (const auto& [op, function] : functions) {
    const auto y = OneOp{op}({Of<float>(x)});
    ASSERT_TRUE(y.ok());
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_EQ((*y)[0].Data<float>()[i], static_cast<float>(function(static_cast<double>(x[i])))) << op << " " << x[i];
    }
  }
}

TEST(OpElementwise, IntegersWrapAndTruncate) {
  EXPECT_EQ(Text(OneOp{"Abs"}({Of<int8_t>({-128, -1, 5})})), "int8[3] {-128, 1, 5}");
  EXPECT_EQ(Text(OneOp{"Neg"}({Of<int32_t>({INT32_MIN, 7})})), "int32[2] {-2147483648, -7}");
  EXPECT_EQ(Text(OneOp{"Add"}({Of<uint8_t>({250, 1}), Of<uint8_t>({10, 1})})), "uint8[2] {4, 2}");
  EXPECT_EQ(Text(OneOp{"Mul"}({Of<int64_t>({INT64_MAX}), Of<int64_t>({2})})), "int64[1] {-2}");
  EXPECT_EQ(Text(OneOp{"Div"}({Of<int64_t>({-7, 7, INT64_MIN}), Of<int64_t>({2, -2, -1})})),
            "int64[3] {-3, -3, -9223372036854775808}");
  EXPECT_TRUE(Fails(OneOp{"Div"}({Of<int64_t>({1}), Of<int64_t>({0})})));
  EXPECT_EQ(Text(OneOp{"Div"}({Of<float>({1, -1}), Of<float>({0, 0})})), "float32[2] {inf, -inf}");
  const Tensor a = Of<int64_t>({-7, 7, -7, 7});
  const Tensor b = Of<int64_t>({3, -3, -3, 3});
  EXPECT_EQ(Text(OneOp{"Mod"}({a, b})), "int64[4] {2, -2, -1, 1}");
  EXPECT_EQ(Text(OneOp{"Mod", {{"fmod", int64_t{1}}}}({a, b})), "int64[4] {-1, 1, -1, 1}");
  EXPECT_TRUE(Fails(OneOp{"Mod"}({Of<float>({1}), Of<float>({1})})));
  const OneOp floats{.op = "Mod", .opset = 28};
  EXPECT_EQ(Text(floats({Of<float>({-5.5f, 5.5f, 6, 1}), Of<float>({2, -2, 3, -INFINITY})})),
            "float32[4] {0.5, -0.5, 0, -inf}");
  EXPECT_EQ(Text(OneOp{"Mod", {{"fmod", int64_t{1}}}}({Of<float>({-5.5f}), Of<float>({2})})), "float32[1] {-1.5}");
  EXPECT_EQ(Text(OneOp{"Pow"}({Of<int32_t>({-2, 3, 2}), Of<int64_t>({3, 0, -1})})), "int32[3] {-8, 1, 0}");
  EXPECT_EQ(Text(OneOp{"Pow"}({Of<float>({4, 2}), Of<int32_t>({-1, 3})})), "float32[2] {0.25, 8}");
}

TEST(OpElementwise, BroadcastingOfAnyRank) {
  EXPECT_EQ(Text(OneOp{"Sub"}({Of<float>({1, 2}, {2, 1}), Of<float>({10, 20, 30})})),
            "float32[2, 3] {-9, -19, -29, -8, -18, -28}");
  EXPECT_EQ(Text(OneOp{"Add"}({Of<float>({1, 2, 3, 4}, {2, 1, 2}), Of<float>({10, 20}, {2, 1})})),
            "float32[2, 2, 2] {11, 12, 21, 22, 13, 14, 23, 24}");
  EXPECT_EQ(Text(OneOp{"Add"}({Of<float>({}, {0, 3}), Of<float>({1}, {1, 1})})), "float32[0, 3] {}");
  EXPECT_TRUE(Fails(OneOp{"Add"}({Of<float>({1, 2}), Of<float>({1, 2, 3})})));
  EXPECT_TRUE(Fails(OneOp{"Add"}({Of<float>({1}), Of<double>({1})})));
}

TEST(OpElementwise, VariadicFunctions) {
  const Tensor a = Of<float>({1, 5});
  const Tensor b = Of<float>({4, 2});
  const Tensor c = Of<float>({3}, {});
  EXPECT_EQ(Text(OneOp{"Max"}({a, b, c})), "float32[2] {4, 5}");
  EXPECT_EQ(Text(OneOp{"Min"}({a, b, c})), "float32[2] {1, 2}");
  EXPECT_EQ(Text(OneOp{"Sum"}({a, b, c})), "float32[2] {8, 10}");
  EXPECT_EQ(Text(OneOp{"Mean"}({a, b, Of<float>({4}, {})})), "float32[2] {3, 3.6666667}");
  EXPECT_EQ(Text(OneOp{"Max"}({a})), "float32[2] {1, 5}");
  EXPECT_EQ(Text(OneOp{"Max"}({Of<float>({kNan, 1}), Of<float>({1, kNan})})), "float32[2] {nan, nan}");
}

TEST(OpElementwise, ComparisonsAndLogic) {
  const Tensor a = Of<int32_t>({1, 2, 3});
  const Tensor two = Of<int32_t>({2}, {});
  EXPECT_EQ(Text(OneOp{"Equal"}({a, two})), "bool[3] {0, 1, 0}");
  EXPECT_EQ(Text(OneOp{"Greater"}({a, two})), "bool[3] {0, 0, 1}");
  EXPECT_EQ(Text(OneOp{"GreaterOrEqual"}({a, two})), "bool[3] {0, 1, 1}");
  EXPECT_EQ(Text(OneOp{"Less"}({a, two})), "bool[3] {1, 0, 0}");
  EXPECT_EQ(Text(OneOp{"LessOrEqual"}({a, two})), "bool[3] {1, 1, 0}");
  EXPECT_EQ(Text(OneOp{"Equal"}({Of<float>({kNan}), Of<float>({kNan})})), "bool[1] {0}");
  const Tensor x = Bools({0, 0, 1, 1}, {4});
  const Tensor y = Bools({0, 1, 0, 1}, {4});
  EXPECT_EQ(Text(OneOp{"And"}({x, y})), "bool[4] {0, 0, 0, 1}");
  EXPECT_EQ(Text(OneOp{"Or"}({x, y})), "bool[4] {0, 1, 1, 1}");
  EXPECT_EQ(Text(OneOp{"Xor"}({x, y})), "bool[4] {0, 1, 1, 0}");
  EXPECT_EQ(Text(OneOp{"Not"}({x})), "bool[4] {1, 1, 0, 0}");
}

TEST(OpElementwise, ClipOfBothForms) {
  const Tensor x = Of<float>({-2, 0, 7});
  EXPECT_EQ(Text(OneOp{"Clip", {{"min", -1.0f}, {"max", 6.0f}}, 6}({x})), "float32[3] {-1, 0, 6}");
  EXPECT_EQ(Text(OneOp{"Clip"}({x, Tensor(), Of<float>({6}, {})})), "float32[3] {-2, 0, 6}");
  EXPECT_EQ(Text(OneOp{"Clip"}({Of<uint8_t>({1, 9}), Of<uint8_t>({3}, {})})), "uint8[2] {3, 9}");
  EXPECT_TRUE(Fails(OneOp{"Clip"}({x, Of<float>({1, 2})})));
  EXPECT_TRUE(Fails(OneOp{"Clip"}({x, Of<double>({1}, {})})));
}

TEST(OpElementwise, CastsBetweenKinds) {
  const auto cast = [](const Tensor& x, DType to) {
    return Text(OneOp{"Cast", {{"to", static_cast<int64_t>(to)}}}({x}));
  };
  EXPECT_EQ(cast(Of<float>({-1.9f, 2.9f, kNan}), DType::kInt32), "int32[3] {-1, 2, 0}");
  EXPECT_EQ(cast(Of<float>({0, 0.25f, kNan}), DType::kBool), "bool[3] {0, 1, 1}");
  EXPECT_EQ(cast(Of<float>({1e30f, -1e30f}), DType::kInt64), "int64[2] {9223372036854775807, -9223372036854775808}");
  EXPECT_EQ(cast(Of<int64_t>({-1, 300}), DType::kUInt8), "uint8[2] {255, 44}");
  EXPECT_EQ(cast(Of<int64_t>({-3}), DType::kBFloat16), "bfloat16[1] {-3}");
  EXPECT_EQ(cast(Of<float>({65519, 65520, 1.00048828125f}), DType::kFloat16), "float16[3] {65504, inf, 1}");
  EXPECT_EQ(cast(Bools({0, 1}, {2}), DType::kFloat32), "float32[2] {0, 1}");
  // A half-precision operand keeps the wanted type of the result.
  const auto half = OneOp{"Cast", {{"to", int64_t{10}}}}({Of<float>({1.5f})});
  ASSERT_TRUE(half.ok());
  EXPECT_EQ(cast((*half)[0], DType::kFloat32), "float32[1] {1.5}");
  EXPECT_EQ(Text(OneOp{"CastLike"}({(*half)[0], Of<double>({})})), "float64[1] {1.5}");
}

TEST(OpElementwise, HalfOperandsGiveHalfResults) {
  const auto half = OneOp{"Cast", {{"to", int64_t{16}}}}({Of<float>({1.5f, -2})});
  ASSERT_TRUE(half.ok());
  const Tensor& x = (*half)[0];
  EXPECT_EQ(Text(OneOp{"Add"}({x, x})), "bfloat16[2] {3, -4}");
  EXPECT_EQ(Text(OneOp{"Less"}({x, x})), "bool[2] {0, 0}");
  EXPECT_EQ(Text(OneOp{"Concat", {{"axis", int64_t{0}}}}({x, x})), "bfloat16[4] {1.5, -2, 1.5, -2}");
}

TEST(OpElementwise, WhereAndPRelu) {
  EXPECT_EQ(Text(OneOp{"Where"}({Bools({1, 0}, {2, 1}), Of<int8_t>({1, 2}), Of<int8_t>({9}, {})})),
            "int8[2, 2] {1, 2, 9, 9}");
  EXPECT_EQ(Text(OneOp{"PRelu"}({Of<float>({-1, 2, -3, 4}, {2, 2}), Of<float>({0.5f, 2}, {2, 1})})),
            "float32[2, 2] {-0.5, 2, -6, 4}");
  EXPECT_TRUE(Fails(OneOp{"PRelu"}({Of<float>({-1}), Of<float>({1, 2})})));
}

TEST(OpElementwise, DropoutOnlyInInference) {
  const Tensor x = Of<float>({1, 2});
  const auto y = OneOp{"Dropout", {}, 13, 2}({x});
  EXPECT_EQ(Text(y), "float32[2] {1, 2}");
  EXPECT_EQ(Text(y, 1), "bool[2] {1, 1}");
  EXPECT_EQ(Text(OneOp{"Dropout", {}, 7, 2}({x}), 1), "float32[2] {1, 1}");
  EXPECT_TRUE(Fails(OneOp{"Dropout"}({x, Tensor(), Bools({1}, {})})));
}

}  // namespace
}  // namespace tamis
