#include "src/onnx/graph_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "src/onnx/test_models.h"

namespace tamis {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Only the structure: operators need not be known and shapes are not inferred.
struct Built {
  Graph graph;
  std::string problems;
};
Built Build(onnx::ModelProto model) {
  ImportContext context{ExternalData(""), {{"", 17}}, {}, {}};
  Built built{BuildGraph(model.mutable_graph(), &context), ""};
  if (!context.problems.empty()) built.problems = context.problems.ToStatus().message();
  return built;
}

std::vector<std::string> NamesOf(const Graph& graph, const std::vector<ValueId>& ids) {
  std::vector<std::string> names;
  for (ValueId id : ids) names.push_back(graph.value(id).name);
  return names;
}

TEST(GraphBuilder, RegionsCaptureWhatTheyReadFromOutside) {
  onnx::ModelProto model = SmallModel();
  auto* graph = model.mutable_graph();
  auto* outer = AddNode(graph, "Loop", {"", "", "x"}, {"z"}, "loop");
  auto* body = AddBody(outer, "body");
  body->set_name("loop_body");
  SetType(body->add_input(), "i", {}, onnx::TensorProto::INT64);
  body->add_input()->set_name("v");
  AddNode(body, "Add", {"v", "h"}, {"t"});
  AddNode(body, "Mul", {"t", "w"}, {"u"});  // w is a constant outside
  auto* inner = AddBody(AddNode(body, "If", {"i"}, {"o"}, "choice"), "then_branch");
  AddNode(inner, "Sub", {"x", "h"}, {"q"});  // x comes from two levels up, h through the body's capture
  AddNode(inner, "Sub", {"q", "u"}, {"r"});
  inner->add_output()->set_name("r");
  body->add_output()->set_name("o");
  SetType(graph->add_output(), "z", {"n"});

  const Built built = Build(model);
  ASSERT_EQ(built.problems, "");
  ASSERT_TRUE(built.graph.Verify().ok()) << built.graph.Verify().message();
  const Node* loop = nullptr;
  for (NodeId id : built.graph.NodeIds()) {
    if (built.graph.node(id).Is("Loop")) loop = &built.graph.node(id);
  }
  ASSERT_NE(loop, nullptr);
  ASSERT_EQ(loop->regions.size(), 1u);
  const Region& region = loop->regions[0];
  EXPECT_EQ(region.name, "body");
  EXPECT_EQ(NamesOf(built.graph, region.captures), (Names{"h", "x"}));
  EXPECT_EQ(NamesOf(*region.body, region.body->inputs), (Names{"i", "v", "h", "x"}));
  EXPECT_EQ(region.body->Opset(), 17);
  const Tensor& shared = *region.body->value(ValueNamed(*region.body, "w")).constant;
  EXPECT_EQ(shared.raw(), built.graph.value(ValueNamed(built.graph, "w")).constant->raw());

  const Node& choice = region.body->node(region.body->NodeIds().back());
  ASSERT_EQ(choice.regions.size(), 1u);
  EXPECT_EQ(NamesOf(*region.body, choice.regions[0].captures), (Names{"x", "h", "u"}));
  EXPECT_EQ(NamesOf(*choice.regions[0].body, choice.regions[0].body->inputs), (Names{"x", "h", "u"}));
}

TEST(GraphBuilder, InnerNamesHideOuterOnes) {
  onnx::ModelProto model = SmallModel();
  auto* body = AddBody(AddNode(model.mutable_graph(), "If", {"x"}, {"z"}), "then_branch");
  AddFloats(body, "h", {1}, {5});
  AddNode(body, "Relu", {"h"}, {"r"});
  body->add_output()->set_name("r");
  const Built built = Build(model);
  ASSERT_EQ(built.problems, "");
  const Node& node = built.graph.node(built.graph.NodeIds().back());
  EXPECT_TRUE(node.regions.at(0).captures.empty());
}

TEST(GraphBuilder, RegionThatReadsItsOwnNodesResultIsACycle) {
  onnx::ModelProto model = SmallModel();
  auto* body = AddBody(AddNode(model.mutable_graph(), "If", {"x"}, {"z"}, "selfish"), "then_branch");
  AddNode(body, "Relu", {"z"}, {"r"});
  body->add_output()->set_name("r");
  EXPECT_THAT(Build(model).problems, AllOf(HasSubstr("cycle"), HasSubstr("'selfish'")));
}

TEST(GraphBuilder, ProblemsInRegionsSayWhere) {
  onnx::ModelProto model = SmallModel();
  auto* body = AddBody(AddNode(model.mutable_graph(), "If", {"x"}, {"z"}, "choice"), "then_branch");
  AddNode(body, "Relu", {"nothing"}, {"r"}, "lost");
  body->add_output()->set_name("r");
  EXPECT_THAT(Build(model).problems, HasSubstr("If 'choice', 'then_branch': value 'nothing' is not defined"));
}

TEST(GraphBuilder, OmittedInputsAndOutputs) {
  onnx::ModelProto model = SmallModel();
  AddNode(model.mutable_graph(), "Op", {"", "x", "", ""}, {"", "b"});
  const Built built = Build(model);
  ASSERT_EQ(built.problems, "");
  const Node& node = built.graph.node(2);
  ASSERT_EQ(node.inputs.size(), 2u);
  EXPECT_EQ(node.inputs[0], kNoValue);
  ASSERT_EQ(node.outputs.size(), 2u);
  EXPECT_EQ(node.outputs[0], kNoValue);
}

TEST(GraphBuilder, AttributesOfEveryKind) {
  onnx::ModelProto model = SmallModel();
  using A = onnx::AttributeProto;
  auto* node = AddNode(model.mutable_graph(), "Op", {"x"}, {"z"}, "n");
  AddAttribute(node, "f", A::FLOAT)->set_f(2.5f);
  AddAttribute(node, "i", A::INT)->set_i(-7);
  AddAttribute(node, "s", A::STRING)->set_s("text");
  AddAttribute(node, "fs", A::FLOATS)->add_floats(1.0f);
  AddAttribute(node, "is", A::INTS);
  AddAttribute(node, "ss", A::STRINGS)->add_strings("a");
  auto* tensor = AddAttribute(node, "t", A::TENSOR)->mutable_t();
  tensor->set_data_type(onnx::TensorProto::INT64);
  tensor->add_int64_data(3);
  AddAttribute(node, "old", A::UNDEFINED)->set_i(9);
  const Built built = Build(model);
  ASSERT_EQ(built.problems, "");
  const Node& read = built.graph.node(2);
  EXPECT_EQ(read.Float("f", 0), 2.5f);
  EXPECT_EQ(read.Int("i", 0), -7);
  EXPECT_EQ(read.String("s", ""), "text");
  EXPECT_EQ(read.Floats("fs"), std::vector<float>{1.0f});
  EXPECT_TRUE(read.Has("is"));
  EXPECT_EQ(read.Ints("is", {4}), std::vector<int64_t>{});
  EXPECT_EQ(read.TensorAttribute("t")->ToInt64s(), std::vector<int64_t>{3});
  EXPECT_EQ(read.Int("old", 0), 9);

  AddAttribute(node, "i", A::INT)->set_i(1);
  AddAttribute(node, "many", A::TENSORS);
  AddAttribute(node, "ref", A::INT)->set_ref_attr_name("outer");
  EXPECT_THAT(Build(model).problems, AllOf(HasSubstr("attribute 'i' is there twice"),
                                           HasSubstr("attribute 'many': type TENSORS is not supported"),
                                           HasSubstr("attribute 'ref' refers to a function's attribute")));
}

TEST(GraphBuilder, SequenceAndOptionalTypes) {
  onnx::ModelProto model = SmallModel();
  auto* input = model.mutable_graph()->add_input();
  input->set_name("list");
  onnx::ValueInfoProto element;
  SetType(&element, "", {"n", 2});
  *input->mutable_type()->mutable_optional_type()->mutable_elem_type()->mutable_sequence_type()->mutable_elem_type() =
      element.type();
  auto* map = model.mutable_graph()->add_input();
  map->set_name("map");
  map->mutable_type()->mutable_map_type()->set_key_type(onnx::TensorProto::INT64);
  const Built built = Build(model);
  EXPECT_EQ(built.graph.value(built.graph.inputs.at(1)).type.ToString(), "optional(sequence(float32[n, 2]))");
  EXPECT_THAT(built.problems, HasSubstr("value 'map': values of type map are not supported"));
  model.mutable_graph()->mutable_input(2)->clear_type();
  EXPECT_THAT(Build(model).problems, HasSubstr("graph input 'map' has no type"));
}

}  // namespace
}  // namespace tamis
