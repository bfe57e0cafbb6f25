#include "src/onnx/functions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "src/onnx/test_models.h"

namespace tamis {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A function of domain "local" without nodes.
onnx::FunctionProto* AddFunction(onnx::ModelProto* model, const std::string& name, const Names& inputs,
                                 const Names& outputs) {
  auto* function = model->add_functions();
  function->set_domain("local");
  function->set_name(name);
  for (const auto& input : inputs) function->add_input(input);
  for (const auto& output : outputs) function->add_output(output);
  function->add_opset_import()->set_version(17);
  return function;
}

onnx::NodeProto* AddNode(onnx::FunctionProto* function, const std::string& op, const Names& inputs,
                         const Names& outputs, const std::string& domain = "") {
  auto* node = function->add_node();
  node->set_op_type(op);
  node->set_domain(domain);
  for (const auto& input : inputs) node->add_input(input);
  for (const auto& output : outputs) node->add_output(output);
  return node;
}

onnx::NodeProto* AddCall(onnx::ModelProto* model, const std::string& name, const Names& inputs, const Names& outputs) {
  auto* node = tamis::AddNode(model->mutable_graph(), name, inputs, outputs, "call");
  node->set_domain("local");
  return node;
}

std::string Inline(onnx::ModelProto* model) {
  Problems problems;
  InlineFunctions(model, &problems);
  return problems.empty() ? "" : problems.ToStatus().message();
}

TEST(InlineFunctions, CallsOfCallsBecomeNodesWithTheirOwnNames) {
  onnx::ModelProto model = SmallModel();
  auto* twice = AddFunction(&model, "Twice", {"a"}, {"b"});
  AddNode(twice, "Add", {"a", "a"}, {"b"});
  auto* both = AddFunction(&model, "Both", {"a"}, {"c"});
  AddNode(both, "Twice", {"a"}, {"h"}, "local");  // "h" is also a value of the main graph
  AddNode(both, "Relu", {"h"}, {"c"});
  AddCall(&model, "Both", {"y"}, {"z1"});
  AddCall(&model, "Both", {"z1"}, {"z2"});
  SetType(model.mutable_graph()->add_output(), "z2", {"batch", 3});
  const Result<Graph> graph = ImportModel(model);
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  std::vector<std::string> ops;
  for (NodeId id : graph->NodeIds()) ops.push_back(graph->node(id).op);
  EXPECT_THAT(ops, ElementsAre("MatMul", "Relu", "Add", "Relu", "Add", "Relu"));
  EXPECT_NE(ValueNamed(*graph, "call/h"), kNoValue);
  EXPECT_NE(ValueNamed(*graph, "call/h_2"), kNoValue);
}

TEST(InlineFunctions, AttributeReferencesTakeCallThenDefaultThenNothing) {
  onnx::ModelProto model = SmallModel();
  auto* function = AddFunction(&model, "Leaky", {"a"}, {"b"});
  auto* node = AddNode(function, "LeakyRelu", {"a"}, {"b"});
  const auto refer = [&](const std::string& name, const std::string& to) {
    auto* attribute = AddAttribute(node, name, onnx::AttributeProto::FLOAT);
    attribute->set_ref_attr_name(to);
  };
  refer("absent", "not_given");
  refer("alpha", "slope");
  refer("beta", "other");
  auto* fallback = function->add_attribute_proto();
  fallback->set_name("other");
  fallback->set_type(onnx::AttributeProto::FLOAT);
  fallback->set_f(0.5f);
  AddAttribute(AddCall(&model, "Leaky", {"y"}, {"z"}), "slope", onnx::AttributeProto::FLOAT)->set_f(0.25f);
  ASSERT_EQ(Inline(&model), "");
  const auto& inlined = model.graph().node(2);
  ASSERT_EQ(inlined.op_type(), "LeakyRelu");
  ASSERT_EQ(inlined.attribute_size(), 2);
  EXPECT_EQ(inlined.attribute(0).name(), "alpha");
  EXPECT_EQ(inlined.attribute(0).f(), 0.25f);
  EXPECT_EQ(inlined.attribute(1).name(), "beta");
  EXPECT_EQ(inlined.attribute(1).f(), 0.5f);
}

TEST(InlineFunctions, OmittedAndHandedThroughValues) {
  onnx::ModelProto model = SmallModel();
  auto* function = AddFunction(&model, "Odd", {"a", "optional"}, {"a", "b", "unused"});
  AddNode(function, "Clip", {"a", "optional"}, {"b"});
  AddNode(function, "Relu", {"b"}, {"unused"});
  AddCall(&model, "Odd", {"y"}, {"copy", "z"});
  ASSERT_EQ(Inline(&model), "");
  const auto& identity = model.graph().node(2);
  EXPECT_EQ(identity.op_type(), "Identity");
  EXPECT_THAT(identity.input(), ElementsAre("y"));
  EXPECT_THAT(identity.output(), ElementsAre("copy"));
  EXPECT_THAT(model.graph().node(3).input(), ElementsAre("y", ""));
  EXPECT_THAT(model.graph().node(3).output(), ElementsAre("z"));
  EXPECT_THAT(model.graph().node(4).output(), ElementsAre("call/unused"));
}

TEST(InlineFunctions, BodiesOfRegionsAreRenamedToo) {
  onnx::ModelProto model = SmallModel();
  auto* function = AddFunction(&model, "Choose", {"c", "a"}, {"r"});
  auto* body = AddBody(AddNode(function, "If", {"c"}, {"r"}), "then_branch");
  tamis::AddNode(body, "Relu", {"a"}, {"t"});
  tamis::AddNode(body, "Relu", {"t"}, {"o"});
  body->add_output()->set_name("o");
  AddCall(&model, "Choose", {"x", "y"}, {"z"});
  ASSERT_EQ(Inline(&model), "");
  const auto& inlined = model.graph().node(2).attribute(0).g();
  EXPECT_THAT(inlined.node(0).input(), ElementsAre("y"));
  EXPECT_EQ(inlined.node(0).output(0), inlined.node(1).input(0));
  EXPECT_EQ(inlined.node(0).output(0), "call/t");
  EXPECT_EQ(inlined.output(0).name(), inlined.node(1).output(0));
}

TEST(InlineFunctions, ReportsRecursionAndWrongUse) {
  onnx::ModelProto model = SmallModel();
  AddNode(AddFunction(&model, "Ping", {"a"}, {"b"}), "Pong", {"a"}, {"b"}, "local");
  AddNode(AddFunction(&model, "Pong", {"a"}, {"b"}), "Ping", {"a"}, {"b"}, "local");
  AddFunction(&model, "Pong", {"a"}, {"b"});
  AddFunction(&model, "Small", {"a"}, {"a"})->mutable_opset_import(0)->set_version(18);
  AddCall(&model, "Small", {"x"}, {"s"});
  AddCall(&model, "Small", {"x", "y"}, {"s2"});
  AddCall(&model, "Ping", {"x"}, {"p"});
  EXPECT_THAT(Inline(&model), AllOf(HasSubstr("calls itself"), HasSubstr("'local.Pong' is defined twice"),
                                    HasSubstr("with 2 inputs and 1 outputs, but it has 1 and 1"),
                                    HasSubstr("operator set ai.onnx 18, the model for 17")));
}

TEST(InlineFunctions, OfAnOlderOperatorSetWhereItsOperatorsAreTheSame) {
  const auto inlined = [](const std::string& op, int64_t version) {
    onnx::ModelProto model = SmallModel();
    model.mutable_opset_import(0)->set_version(22);
    auto* function = AddFunction(&model, "Old", {"a"}, {"b"});
    function->mutable_opset_import(0)->set_version(version);
    auto* body = AddBody(AddNode(function, "If", {"a"}, {"b"}), "then_branch");
    tamis::AddNode(body, op, {"a"}, {"o"});
    AddCall(&model, "Old", {"x"}, {"z"});
    return Inline(&model);
  };
  EXPECT_EQ(inlined("Relu", 21), "");
  EXPECT_EQ(inlined("ReduceMean", 18), "");
  EXPECT_THAT(inlined("ReduceMean", 17), HasSubstr("17, the model for 22, between which 'ReduceMean' was redefined"));
  EXPECT_THAT(inlined("Relu", 12), HasSubstr("operator set ai.onnx 12, the model for 22"));
  EXPECT_THAT(inlined("Relu", 23), HasSubstr("operator set ai.onnx 23, the model for 22"));
}

TEST(InlineFunctions, StopsBeforeItGrowsWithoutMeasure) {
  onnx::ModelProto model = SmallModel();
  constexpr int kLevels = 40;  // each calls the one below twice: 2^40 nodes
  for (int level = 0; level < kLevels; ++level) {
    auto* function = AddFunction(&model, "F" + std::to_string(level), {"a"}, {"c"});
    const std::string below = level == 0 ? "Relu" : "F" + std::to_string(level - 1);
    AddNode(function, below, {"a"}, {"b"}, level == 0 ? "" : "local");
    AddNode(function, below, {"b"}, {"c"}, level == 0 ? "" : "local");
  }
  AddCall(&model, "F" + std::to_string(kLevels - 1), {"x"}, {"z"});
  EXPECT_THAT(Inline(&model), HasSubstr("makes more than"));
}

}  // namespace
}  // namespace tamis
