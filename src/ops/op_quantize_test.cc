// Quantizing operators: what ONNX's node tests do not reach.
#include "src/ops/op_quantize.h"

#include <gtest/gtest.h>

#include <random>

#include "src/ops/op_elementwise.h"
#include "src/ops/op_evaluate_one.h"
#include "src/ops/op_testing.h"

namespace tamis {
namespace {

using op_values::Of;
using op_values::OneOp;
using op_values::Text;

TEST(Quantize, SaturatesAndRoundsToEven) {
  EXPECT_EQ(Text(OneOp{.op = "QuantizeLinear"}({Of<float>({0.5f, 1.5f, -3, 300, NAN}), Tensor::Float(1)})),
            "uint8[5] {0, 2, 0, 255, 0}");
  EXPECT_EQ(Text(OneOp{.op = "QuantizeLinear"}({Of<float>({2.5f, -500}), Tensor::Float(1), Of<int8_t>({3}, {})})),
            "int8[2] {5, -128}");
}

TEST(Quantize, BlocksEndWhereTheAxisDoes) {
  const OneOp quantize{.op = "QuantizeLinear",
                       .attributes = {{"axis", int64_t{0}}, {"block_size", int64_t{2}}, {"output_dtype", int64_t{3}}}};
  EXPECT_EQ(Text(quantize({Of<float>({1, 2, 3, 4, 5}, {5}), Of<float>({1, 2, 5}, {3})})), "int8[5] {1, 2, 2, 2, 1}");
  const auto wrong = quantize({Of<float>({1, 2, 3, 4, 5}, {5}), Of<float>({1, 2}, {2})});
  ASSERT_FALSE(wrong.ok());
  EXPECT_NE(wrong.status().message().find("in blocks of 2 along axis 0"), std::string::npos);
}

TEST(Quantize, ShapesStaySymbolic) {
  const op_testing::OneNode node{"QuantizeLinear", "", {{"axis", int64_t{1}}}};
  const Type x = op_testing::F32({Dim::Symbol("n"), Dim(3), Dim::Symbol("w")});
  EXPECT_EQ(op_testing::InferText(node, {x, op_testing::F32({Dim(3)}), Type::Tensor(DType::kInt4, {Dim(3)})}),
            Type::Tensor(DType::kInt4, {Dim::Symbol("n"), Dim(3), Dim::Symbol("w")}).ToString());
  EXPECT_NE(op_testing::InferText(node, {x, op_testing::F32({Dim(4)})}).find("does not fit axis 1"), std::string::npos);
}

TEST(Quantize, ContradictionsAreNamed) {
  const OneOp quantize{.op = "QuantizeLinear", .attributes = {{"output_dtype", int64_t{3}}}};
  const auto result = quantize({Of<float>({1}), Tensor::Float(1), Of<uint8_t>({0}, {})});
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.status().message().find("output_dtype is int8 but the zero point is uint8"), std::string::npos);
  const OneOp old{.op = "QuantizeLinear", .attributes = {{"axis", int64_t{0}}}, .opset = 10};
  EXPECT_TRUE(op_values::Fails(old({Of<float>({1, 2}), Of<float>({1, 2})})));
}

TEST(Quantize, DequantizingUndoesQuantizing) {
  std::mt19937 random(7);
  for (const DType dtype : {DType::kInt8, DType::kUInt8, DType::kInt16, DType::kInt4, DType::kUInt2}) {
    const IntegerRange range = RangeOf(dtype);
    std::uniform_real_distribution<float> spread(static_cast<float>(range.low), static_cast<float>(range.high));
    std::vector<float> values(37);
    for (float& value : values) value = spread(random) * 0.25f;
    const OneOp quantize{.op = "QuantizeLinear", .attributes = {{"output_dtype", static_cast<int64_t>(dtype)}}};
    const auto codes = quantize({Of<float>(values), Tensor::Float(0.25f)});
    ASSERT_TRUE(codes.ok()) << codes.status().message();
    const auto back = OneOp{.op = "DequantizeLinear"}({(*codes)[0], Tensor::Float(0.25f)});
    ASSERT_TRUE(back.ok()) << back.status().message();
    for (size_t i = 0; i < values.size(); ++i) {
      EXPECT_NEAR((*back)[0].Data<float>()[i], values[i], 0.125f) << Name(dtype) << " seed 7, element " << i;
    }
  }
}

TEST(Quantize, DynamicRangeHoldsZeroAndMayBeEmpty) {
  const OneOp quantize{.op = "DynamicQuantizeLinear", .outputs = 3};
  EXPECT_EQ(Text(quantize({Of<float>({1, 2, 51})}), 2), "uint8[] {0}");
  EXPECT_EQ(Text(quantize({Of<float>({}, {0})}), 0), "uint8[0] {}");
  EXPECT_EQ(Text(quantize({Of<float>({0, 0})}), 0), "uint8[2] {0, 0}");
}

TEST(Quantize, IntegerProductsTakeZeroPointsARowAndAColumn) {
  const OneOp product{.op = "MatMulInteger"};
  const Tensor a = Of<uint8_t>({11, 7, 3, 10, 6, 2}, {2, 3});
  const Tensor b = Of<int8_t>({1, 4, 2, 5, 3, 6}, {3, 2});
  EXPECT_EQ(Text(product({a, b, Of<uint8_t>({10, 0}), Of<int8_t>({0, 4})})), "int32[2, 2] {-26, -17, 28, 10}");
  EXPECT_TRUE(op_values::Fails(product({a, b, Of<uint8_t>({1, 2, 3})})));
  EXPECT_TRUE(op_values::Fails(product({a, b, Of<uint8_t>({1, 2, 3}, {1, 3})})));
  EXPECT_TRUE(op_values::Fails(product({Of<uint8_t>({1, 2, 3}), b, Of<uint8_t>({1, 2, 3})})));
  EXPECT_EQ(Text(product({Of<uint8_t>({}, {2, 0}), Of<int8_t>({}, {0, 1})})), "int32[2, 1] {0, 0}");
}

TEST(Quantize, ScalesOfRowsNeedRowsInTheResult) {
  const OneOp product{.op = "QLinearMatMul"};
  const Tensor a = Of<uint8_t>({1, 2, 3, 4}, {2, 2}), zero = Of<uint8_t>({0}, {}), one = Tensor::Float(1);
  const Tensor rows = Of<float>({1, 2}), zeros = Of<uint8_t>({0, 0});
  EXPECT_EQ(Text(product({a, rows, zeros, a, one, zero, one, zero})), "uint8[2, 2] {7, 10, 30, 44}");
  const auto vector = product({a, rows, zeros, Of<uint8_t>({1, 2}), one, zero, one, zero});
  ASSERT_FALSE(vector.ok());
  EXPECT_NE(vector.status().message().find("a product with a vector"), std::string::npos);
  EXPECT_TRUE(op_values::Fails(product({a, Of<float>({1, 2}, {1, 2}), zero, a, one, zero, one, zero})));
}

TEST(Quantize, ConvolutionsPadWithTheZeroPoint) {
  const OneOp conv{.op = "ConvInteger", .attributes = {{"pads", Dims{1, 1}}}};
  EXPECT_EQ(Text(conv({Of<uint8_t>({5, 6}, {1, 1, 2}), Of<int8_t>({1, 1, 1}, {1, 1, 3}), Of<uint8_t>({5}, {})})),
            "int32[1, 1, 2] {1, 1}");
}

TEST(Attention, AHiddenRowIsZeroAndShapesStaySymbolic) {
  const OneOp attention{.op = "Attention", .opset = 24};
  const Tensor one = Of<float>({1}, {1, 1, 1, 1});
  EXPECT_EQ(Text(attention({one, one, one, op_values::Bools({0}, {1, 1})})), "float32[1, 1, 1, 1] {0}");
  const op_testing::OneNode node{"Attention", "", {{"q_num_heads", int64_t{4}}, {"kv_num_heads", int64_t{2}}}, 24, 2};
  const Dim batch = Dim::Symbol("b"), past = Dim::Symbol("p"), length = Dim::Symbol("s");
  const Type q = op_testing::F32({batch, length, Dim(32)}), k = op_testing::F32({batch, length, Dim(16)});
  const Type cache = op_testing::F32({batch, Dim(2), past, Dim(8)});
  const auto types = op_testing::Infer(node, {q, k, k, Type{}, cache, cache});
  ASSERT_TRUE(types.ok()) << types.status().message();
  EXPECT_EQ((*types)[0].ToString(), q.ToString());
  EXPECT_EQ((*types)[1].shape[2], past + length);
  EXPECT_NE(op_testing::InferText({"Attention", "", {}, 24}, {q, k, k}).find("q_num_heads"), std::string::npos);
}

}  // namespace
}  // namespace tamis
