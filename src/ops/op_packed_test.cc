// Elements of less than a byte and strings, moved and converted.
#include "src/ops/op_packed.h"

#include <gtest/gtest.h>

#include "src/ops/op_evaluate_one.h"
#include "src/ops/op_testing.h"

namespace tamis {
namespace {

using op_values::Of;
using op_values::OneOp;

// int4 or int2 from numbers.
Tensor Small(DType dtype, Dims dims, const std::vector<int64_t>& values) {
  const OneOp cast{.op = "Cast", .attributes = {{"to", static_cast<int64_t>(dtype)}}};
  return (*cast({Of<int64_t>(values, std::move(dims))}))[0];
}

std::string Numbers(const Result<std::vector<Tensor>>& results, size_t i = 0) {
  if (!results.ok()) return "error: " + results.status().message();
  const OneOp cast{.op = "Cast", .attributes = {{"to", int64_t{7}}}};
  return std::string(Name((*results)[i].dtype())) + " " + op_values::Text(cast({(*results)[i]}));
}

std::string Texts(const Result<std::vector<Tensor>>& results) {
  if (!results.ok()) return "error: " + results.status().message();
  std::string text = ToString((*results)[0].dims());
  for (const std::string& element : (*results)[0].Span<std::string>()) text += " '" + element + "'";
  return text;
}

TEST(Packed, BitsLieInTheLowEndFirst) {
  const Tensor tensor = Small(DType::kInt4, {3}, {1, -1, 7});
  EXPECT_EQ(tensor.NumBytes(), 2u);
  EXPECT_EQ(tensor.Data<uint8_t>()[0], 0xf1);
  EXPECT_EQ(tensor.Data<uint8_t>()[1], 0x07);
}

TEST(Packed, IntegersWrapToTheirBits) {
  EXPECT_EQ(Numbers(std::vector<Tensor>{Small(DType::kInt4, {3}, {-9, 8, 16})}), "int4 int64[3] {7, -8, 0}");
  EXPECT_EQ(Numbers(std::vector<Tensor>{Small(DType::kUInt2, {5}, {0, 1, 4, 7, -1})}),
            "uint2 int64[5] {0, 1, 0, 3, 3}");
}

TEST(Packed, OperatorsThatMoveElementsTakeThem) {
  const Tensor x = Small(DType::kInt4, {3, 3}, {1, 2, 3, 4, 5, 6, 7, -8, -7});
  EXPECT_EQ(Numbers(OneOp{.op = "Transpose"}({x})), "int4 int64[3, 3] {1, 4, 7, 2, 5, -8, 3, 6, -7}");
  const OneOp concat{.op = "Concat", .attributes = {{"axis", int64_t{0}}}};
  EXPECT_EQ(Numbers(concat({Small(DType::kInt2, {1}, {-2}), Small(DType::kInt2, {2}, {1, 0})})),
            "int2 int64[3] {-2, 1, 0}");
  const OneOp gather{.op = "Gather", .attributes = {{"axis", int64_t{1}}}};
  EXPECT_EQ(Numbers(gather({x, Of<int64_t>({2, 0})})), "int4 int64[3, 2] {3, 1, 6, 4, -7, 7}");
  const OneOp split{.op = "Split", .attributes = {{"axis", int64_t{0}}, {"num_outputs", int64_t{2}}}, .outputs = 2};
  EXPECT_EQ(Numbers(split({x}), 1), "int4 int64[1, 3] {7, -8, -7}");
}

TEST(Packed, ArithmeticRefusesThem) {
  const Tensor x = Small(DType::kInt4, {2}, {1, 2});
  EXPECT_TRUE(op_values::Fails(OneOp{.op = "Add"}({x, x})));
  const OneOp scatter{.op = "ScatterElements", .attributes = {{"reduction", std::string("add")}}};
  EXPECT_TRUE(op_values::Fails(scatter({x, Of<int64_t>({0}), Small(DType::kInt4, {1}, {3})})));
}

TEST(Strings, OperatorsThatMoveElementsTakeThem) {
  const Tensor x = Tensor::Strings({2, 2}, {"a", "bb", "", "dddd"});
  EXPECT_EQ(Texts(OneOp{.op = "Transpose"}({x})), "[2, 2] 'a' '' 'bb' 'dddd'");
  const OneOp concat{.op = "Concat", .attributes = {{"axis", int64_t{0}}}};
  EXPECT_EQ(Texts(concat({x, Tensor::Strings({1, 2}, {"x", "y"})})), "[3, 2] 'a' 'bb' '' 'dddd' 'x' 'y'");
  EXPECT_EQ(Texts(OneOp{.op = "Where"}({op_values::Bools({1, 0}, {2}), x, Tensor::Strings({}, {"no"})})),
            "[2, 2] 'a' 'no' '' 'no'");
  EXPECT_EQ(Texts(OneOp{.op = "Pad"}({Tensor::Strings({1}, {"a"}), Of<int64_t>({1, 1})})), "[3] '' 'a' ''");
  EXPECT_EQ(Texts(OneOp{.op = "Reshape"}({x, Of<int64_t>({4})})), "[4] 'a' 'bb' '' 'dddd'");
  EXPECT_EQ(Texts(OneOp{.op = "Slice"}({x, Of<int64_t>({1}), Of<int64_t>({2}), Of<int64_t>({1})})),
            "[2, 1] 'bb' 'dddd'");
}

TEST(Strings, NumbersAreReadAndWritten) {
  const auto read = [](std::vector<std::string> texts, DType to) {
    const auto size = static_cast<int64_t>(texts.size());
    const OneOp cast{.op = "Cast", .attributes = {{"to", static_cast<int64_t>(to)}}};
    return op_values::Text(cast({Tensor::Strings({size}, std::move(texts))}));
  };
  EXPECT_EQ(read({"3.14", "1e-5", "-INF", "+inf", " 7 "}, DType::kFloat32), "float32[5] {3.14, 1e-05, -inf, inf, 7}");
  EXPECT_EQ(read({"nan", "1e999", "-1e-999"}, DType::kFloat32), "float32[3] {nan, inf, -0}");
  EXPECT_EQ(read({"9007199254740993", "100.5", "-1"}, DType::kInt64), "int64[3] {9007199254740993, 100, -1}");
  EXPECT_EQ(read({"0", "2"}, DType::kBool), "bool[2] {0, 1}");
  EXPECT_NE(read({"1", "two"}, DType::kFloat32).find("element 1, 'two', is not a number"), std::string::npos);
  const OneOp write{.op = "Cast", .attributes = {{"to", int64_t{8}}}};
  EXPECT_EQ(Texts(write({Of<float>({314.15926f, 1, -0.5f, INFINITY, std::nanf("")})})),
            "[5] '314.15927' '1' '-0.5' 'INF' 'NaN'");
  EXPECT_EQ(Texts(write({Of<int64_t>({INT64_MIN})})), "[1] '-9223372036854775808'");
}

TEST(Strings, EqualComparesThem) {
  const Tensor x = Tensor::Strings({2, 1}, {"a", "b"});
  EXPECT_EQ(op_values::Text(OneOp{.op = "Equal"}({x, Tensor::Strings({2}, {"b", "a"})})), "bool[2, 2] {0, 1, 1, 0}");
  const OneOp old{.op = "Equal", .opset = 13};
  EXPECT_TRUE(op_values::Fails(old({x, x})));
}

TEST(Strings, Split) {
  const Tensor x = Tensor::Strings({3}, {"  a b  c ", "", "x"});
  const OneOp split{.op = "StringSplit", .outputs = 2};
  EXPECT_EQ(Texts(split({x})), "[3, 3] 'a' 'b' 'c' '' '' '' 'x' '' ''");
  EXPECT_EQ(op_values::Text(split({x}), 1), "int64[3] {3, 0, 1}");
  OneOp comma{
      .op = "StringSplit", .attributes = {{"delimiter", std::string(",")}, {"maxsplit", int64_t{1}}}, .outputs = 2};
  EXPECT_EQ(Texts(comma({Tensor::Strings({2}, {",a,b", ""})})), "[2, 2] '' 'a,b' '' ''");
  EXPECT_EQ(op_values::Text(comma({Tensor::Strings({2}, {",a,b", ""})}), 1), "int64[2] {2, 1}");
  EXPECT_EQ(Texts(split({Tensor::Strings({0}, {})})), "[0, 0]");
}

TEST(Strings, NormalizerKeepsBytesThatAreNoText) {
  OneOp upper{.op = "StringNormalizer", .attributes = {{"case_change_action", std::string("UPPER")}}};
  EXPECT_EQ(Texts(upper({Tensor::Strings({2}, {"\xc3\xa4"
                                               "b\xff"
                                               "c",
                                               "stra\xc3"})})),
            "[2] '\xc3\x84"
            "B\xff"
            "C' 'STRA\xc3'");
  upper.attributes["stopwords"] = std::vector<std::string>{"A"};
  EXPECT_EQ(Texts(upper({Tensor::Strings({1, 1}, {"a"})})), "[1, 1] ''");
}

TEST(Strings, APatternThatIsNoneIsRefused) {
  const OneOp match{.op = "RegexFullMatch", .attributes = {{"pattern", std::string("(a")}}};
  const auto result = match({Tensor::Strings({1}, {"a"})});
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.status().message().find("pattern '(a' is not valid"), std::string::npos);
}

}  // namespace
}  // namespace tamis
