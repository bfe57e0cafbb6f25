// What files declare of values that their operators make.
#include <gtest/gtest.h>

#include "src/onnx/test_models.h"

namespace tamis {
namespace {

TEST(DeclaredShapes, SayWhatOperatorsDoNot) {
  onnx::ModelProto model = SmallModel();
  auto* proto = model.mutable_graph();
  AddNode(proto, "NonZero", {"y"}, {"places"});
  auto* declared = proto->add_output();
  SetType(declared, "places", {2, 5});
  declared->mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::INT64);
  const Result<Graph> graph = ImportModel(model);
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(graph->value(graph->outputs[1]).type.ToString(), "int64[2, 5]");
}

TEST(DeclaredShapes, OfAnotherTypeAreIgnoredAloud) {
  onnx::ModelProto model = SmallModel();
  model.mutable_graph()->mutable_output(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
      onnx::TensorProto::INT64);
  OnnxInfo info;
  const Result<Graph> graph = ImportModel(model, "", &info);
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(graph->value(graph->outputs[0]).type.dtype, DType::kFloat32);
  ASSERT_EQ(info.remarks.size(), 1U);
  EXPECT_EQ(info.remarks[0], "output 'y' is float32 but is declared as int64: the declaration is ignored");
}

// An exporter's own batch: the dimension is the input's, whatever is declared.
TEST(DeclaredShapes, OfOutputsGiveWayToTheInputs) {
  onnx::ModelProto model = SmallModel();
  model.mutable_graph()->mutable_output(0)->clear_type();
  SetType(model.mutable_graph()->mutable_output(0), "y", {8, 3});
  const Result<Graph> graph = ImportModel(model);
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(graph->value(graph->outputs[0]).type.ToString(), "float32[batch, 3]");
}

}  // namespace
}  // namespace tamis
