// Resize: what the node tests don't reach.
#include <array>

#include "src/ops/op_testing.h"

namespace tamis {
namespace {

using namespace op_testing;  // NOLINT: the helpers of this folder's tests

Tensor List(std::vector<float> values) {
  const auto count = static_cast<int64_t>(values.size());
  return Floats({count}, values);
}

TEST(ResizeTest, Opset10DownsamplesFromAbove) {
  const Tensor x = Floats({1, 1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
  const auto y = Evaluate({"Resize", "", {}, 10}, {x, List({1, 1, 0.6f, 0.6f})});
  ASSERT_TRUE(y.ok()) << y.status().message();
  EXPECT_EQ(Values((*y)[0]), (std::vector<float>{1, 3}));
}

TEST(ResizeTest, IntegersAreRoundedAndSaturate) {
  const Tensor x = Tensor::Of<uint8_t>(DType::kUInt8, {1, 4}, std::vector<uint8_t>{0, 255, 255, 0});
  const auto y = Evaluate({"Resize", "", {{"mode", std::string("cubic")}}}, {x, Tensor(), List({1, 2})});
  ASSERT_TRUE(y.ok()) << y.status().message();
  const auto values = (*y)[0].ToInt64s();
  EXPECT_EQ(values[0], 0);    // below 0 without
  EXPECT_EQ(values[3], 255);  // above 255 without
}

TEST(ResizeTest, SymbolicSizes) {
  const Dim h = Dim::Symbol("h");
  Graph graph;
  graph.opsets[""] = 21;
  Node node;
  node.op = "Resize";
  node.inputs = {graph.AddValue("x", F32({1, 3, h, 7})), kNoValue, graph.AddConstant("scales", List({1, 1, 1.5f, 2}))};
  node.outputs = {graph.AddValue("y")};
  const ValueId y = node.outputs[0];
  ASSERT_TRUE(InferNode(graph, graph.AddNode(std::move(node))).ok());
  EXPECT_EQ(graph.value(y).type.shape[2].Evaluate({{"h", 5}}), 7);
  EXPECT_EQ(graph.value(y).type.shape[3], Dim(14));
}

TEST(ResizeTest, Refusals) {
  const Tensor x = Floats({1, 1, 2, 2}, {1, 2, 3, 4});
  EXPECT_NE(ErrorOf({"Resize", "", {}}, {x}).find("neither scales nor sizes"), std::string::npos);
  EXPECT_NE(
      ErrorOf({"Resize", "", {{"mode", std::string("quintic")}}}, {x, Tensor(), List({1, 1, 2, 2})}).find("quintic"),
      std::string::npos);
  EXPECT_NE(ErrorOf({"Resize", "", {}}, {x, Tensor(), List({1, 1, -2, 2})}).find("-2"), std::string::npos);
  EXPECT_NE(ErrorOf({"Resize", "", {}}, {x, Tensor(), List({1, 2})}).find("2 scales are given for 4"),
            std::string::npos);
  const Attribute crop = std::string("tf_crop_and_resize");
  EXPECT_NE(ErrorOf({"Resize", "", {{"coordinate_transformation_mode", crop}}}, {x, Tensor(), List({1, 1, 2, 2})})
                .find("roi"),
            std::string::npos);
  EXPECT_NE(ErrorOf({"Resize", "", {}},
                    {Tensor(DType::kFloat32, {1, 0}), Tensor(), Tensor(), Tensor::Int64s(std::array<int64_t, 2>{1, 2})})
                .find("empty axis"),
            std::string::npos);
}

}  // namespace
}  // namespace tamis
