#include "src/tuner/roofline.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tamis {
namespace {

Operand Of(DType dtype, Dims dims) {
  Operand operand;
  operand.dtype = dtype;
  operand.dims = std::move(dims);
  return operand;
}

TEST(Roofline, CountsOperationsAndBytes) {
  Node node;
  node.op = "Linear";
  node.domain = std::string(kTamisDomain);
  Problem problem;
  problem.node = &node;
  problem.inputs = {Of(DType::kFloat32, {10, 64}), Of(DType::kFloat32, {32, 64})};
  problem.outputs = {Of(DType::kFloat32, {10, 32})};
  EXPECT_EQ(FloatingOperations(problem), 2.0 * 10 * 32 * 64);
  EXPECT_EQ(BytesMoved(problem), 4.0 * (10 * 64 + 32 * 64 + 10 * 32));
  problem.inputs[1].pattern = Pattern::kTwoFour;
  EXPECT_EQ(BytesMoved(problem), 4.0 * (10 * 64 + 10 * 32) + 32 * 64 * (2 + 0.125));

  node.op = "ChannelsLastConv";
  problem.inputs = {Of(DType::kFloat32, {1, 8, 8, 16}), Of(DType::kFloat32, {24, 3, 3, 16})};
  problem.outputs = {Of(DType::kFloat32, {1, 8, 8, 24})};
  EXPECT_EQ(FloatingOperations(problem), 2.0 * 64 * 24 * 144);
}

TEST(Roofline, OfATableOnlyTheRowsThatAreTaken) {
  Node node;
  node.op = "Gather";
  Problem problem;
  problem.node = &node;
  problem.inputs = {Of(DType::kFloat32, {30522, 384}), Of(DType::kInt64, {128})};
  problem.outputs = {Of(DType::kFloat32, {128, 384})};
  EXPECT_EQ(BytesMoved(problem), 2 * 4.0 * 128 * 384 + 8 * 128);
  problem.inputs[0] = Of(DType::kFloat32, {2, 384});  // a small table is read at most once
  EXPECT_EQ(BytesMoved(problem), 4.0 * (2 * 384 + 128 * 384) + 8 * 128);
}

TEST(Roofline, IsMeasuredAndPositive) {
  TunerOptions options;
  Tuner tuner(options);
  const auto roofline = Roofline::Measure(tuner, 1);
  ASSERT_TRUE(roofline.ok()) << roofline.status().message();
  EXPECT_GT(roofline->f32_flops(), 0);
  EXPECT_GT(roofline->bytes(), 0);
  Node node;
  node.op = "Relu";
  Problem problem;
  problem.node = &node;
  problem.inputs = {Of(DType::kFloat32, {1000})};
  problem.outputs = problem.inputs;
  EXPECT_DOUBLE_EQ(roofline->Seconds(problem), 8000 / roofline->bytes());

  node.op = "Attention";
  node.domain = std::string(kTamisDomain);
  problem.inputs = {Of(DType::kFloat32, {1, 512, 512}), Of(DType::kFloat32, {1, 512, 512}),
                    Of(DType::kFloat32, {1, 512, 512})};
  problem.outputs = {problem.inputs[0]};
  const double operations = FloatingOperations(problem), moving = BytesMoved(problem) / roofline->bytes();
  EXPECT_DOUBLE_EQ(roofline->Seconds(problem), std::max(operations / roofline->f32_flops(), moving));
  node.attributes["q_scale"] = 0.1f;  // may multiply codes
  EXPECT_DOUBLE_EQ(roofline->Seconds(problem), std::max(operations / roofline->int8_flops(), moving));
}

}  // namespace
}  // namespace tamis
