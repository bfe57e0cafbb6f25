#include "src/ops/op_float8.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "src/base/float16.h"
#include "src/ops/op_small_float.h"

namespace tamis {
namespace {

constexpr unsigned kSeed = 20261126;

TEST(Float8, CodesAreThoseOfTheReference) {
  std::mt19937 random(kSeed);
  std::uniform_real_distribution<float> exponent(-12, 10);
  for (int i = 0; i < 20000; ++i) {
    const float x = std::exp2(exponent(random)) * (i % 2 == 0 ? 1.0f : -1.0f);
    const uint8_t code = EncodeSmallFloat(DType::kFloat8E4M3, static_cast<double>(x));
    EXPECT_EQ(EncodeFloat8(x), (code & 0x7f) == 0 ? 0 : code) << x;
  }
  for (int code = 0; code < 256; ++code) {
    const float number = DecodeFloat8(static_cast<uint8_t>(code));
    if (std::isnan(number)) continue;
    EXPECT_EQ(EncodeFloat8(number), code == 0x80 ? 0 : code);
    const float next = DecodeFloat8(static_cast<uint8_t>(code + 1));
    if (code >= 0x7e || std::isnan(next)) continue;
    const float middle = (number + next) / 2;  // a tie: to the even code
    EXPECT_EQ(EncodeFloat8(middle), code % 2 == 0 ? code : code + 1) << middle;
  }
  EXPECT_EQ(EncodeFloat8(std::numeric_limits<float>::infinity()), 0x7e);
  EXPECT_EQ(EncodeFloat8(std::numeric_limits<float>::quiet_NaN()), 0x7f);
}

TEST(Float8, RowsOfCodesKeepThem) {
  std::mt19937 random(kSeed);
  std::uniform_int_distribution<int> any(0, 255);
  constexpr int64_t kRows = 6, kDepth = 40;
  std::vector<float> rows;
  std::vector<float> numbers;
  for (int64_t n = 0; n < kRows; ++n) {
    const float scale = std::exp2(static_cast<float>(n) - 9.3f) * 1.37f;
    for (int64_t k = 0; k < kDepth; ++k) {
      int code = any(random);
      if (n % 2 == 1) code &= 0xbf;  // the larger half of the range is not used
      const float number =
          std::isnan(DecodeFloat8(static_cast<uint8_t>(code))) ? 0 : DecodeFloat8(static_cast<uint8_t>(code)) * scale;
      numbers.push_back(number);
      rows.push_back(n < 2 ? number : n < 4 ? HalfToFloat(FloatToHalf(number)) : Bf16ToFloat(FloatToBf16(number)));
    }
  }
  const Float8Rows rounded = RoundToFloat8(rows, kRows);
  for (size_t i = 0; i < rows.size(); ++i) {
    const float made = DecodeFloat8(rounded.codes[i]) * rounded.scales[i / kDepth];
    EXPECT_NEAR(made, numbers[i], std::abs(numbers[i]) * 0x1.1p-8f + 0x1p-24f) << "seed " << kSeed << ", " << i;
  }
}

TEST(Float8, RowsThatAreNoneAreRoundedToTheLargest) {
  const std::vector<float> rows = {1, -2, 0.3f, 0.77f, 0, 0, 0, 0};
  const Float8Rows rounded = RoundToFloat8(rows, 2);
  EXPECT_EQ(rounded.scales[0], 2 / kFloat8Largest);
  EXPECT_EQ(rounded.scales[1], 1);
  EXPECT_EQ(rounded.codes[1], 0xfe);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(DecodeFloat8(rounded.codes[i]) * rounded.scales[0], rows[i], std::abs(rows[i]) / 16);
    EXPECT_EQ(rounded.codes[4 + i], 0);
  }
}

TEST(Float8, EmulationRoundsBothOperandsOnceForAllReaders) {
  Graph graph;
  graph.opsets[""] = 21;
  const ValueId x = graph.AddValue("x", Type::Tensor(DType::kFloat32, {Dim(3), Dim(4)}));
  graph.inputs = {x};
  for (const char* name : {"a", "b"}) {
    Node node;
    node.op = "Linear";
    node.domain = kTamisDomain;
    node.attributes[kFloat8Scale] = 0.5f;
    Tensor weight(DType::kFloat32, {2, 4});
    for (int64_t i = 0; i < 8; ++i) weight.Data<float>()[i] = static_cast<float>(i) + 0.3f;
    node.inputs = {x, graph.AddConstant(std::string(name) + "_weight", std::move(weight))};
    node.outputs = {graph.AddValue(name, Type::Tensor(DType::kFloat32, {Dim(3), Dim(2)}))};
    graph.outputs.push_back(node.outputs[0]);
    graph.AddNode(std::move(node));
  }
  EXPECT_TRUE(UsesFloat8(graph));
  EmulateFloat8(graph);
  ASSERT_TRUE(graph.Sort().ok());
  ASSERT_TRUE(graph.Verify().ok()) << graph.ToString();
  EXPECT_EQ(graph.NumNodes(), 4u) << graph.ToString();
  EXPECT_FALSE(UsesFloat8(graph));
}

}  // namespace
}  // namespace tamis
