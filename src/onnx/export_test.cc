#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <set>
#include <sstream>

#include "src/base/hash.h"
#include "src/ir/make_node.h"
#include "src/onnx/model_writer.h"
#include "src/onnx/test_folder.h"
#include "src/onnx/test_models.h"

namespace tamis {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class OnnxExport : public ::testing::Test {
 protected:
  static Graph Import(const onnx::ModelProto& model) {
    Result<Graph> graph = ImportModel(model);
    EXPECT_TRUE(graph.ok()) << graph.status().message();
    return graph.ok() ? std::move(graph).value() : Graph();
  }
  onnx::ModelProto Load() const {
    std::ifstream file(path_, std::ios::binary);
    onnx::ModelProto model;
    EXPECT_TRUE(model.ParseFromIstream(&file));
    return model;
  }
  onnx::ModelProto Export(const Graph& graph) const {
    const Status status = ExportOnnx(graph, path_);
    EXPECT_TRUE(status.ok()) << status.message();
    return Load();
  }

  TestFolder folder_;
  const std::string path_ = folder_.path() + "/model.onnx";
};

// Every value's name in all graphs that defines something; an outer name may be read but not defined again.
void CollectDefinitions(const onnx::GraphProto& graph, std::multiset<std::string>* names) {
  for (const auto& input : graph.input()) names->insert(input.name());
  for (const auto& tensor : graph.initializer()) names->insert(tensor.name());
  for (const auto& node : graph.node()) {
    for (const auto& output : node.output()) names->insert(output);
    for (const auto& attribute : node.attribute()) {
      if (attribute.has_g()) CollectDefinitions(attribute.g(), names);
    }
  }
}

TEST_F(OnnxExport, RoundTripKeepsGraphWeightsAndMetadata) {
  onnx::ModelProto model = SmallModel();
  model.mutable_graph()->mutable_input(0)->set_doc_string("rows");
  const Graph graph = Import(model);
  ModelMeta meta;
  meta.domain = "com.example";
  meta.description = "what it is";
  meta.graph_description = "how it is built";
  meta.version = -3;
  meta.Set("task", "test");
  meta.Set("a", "b");
  const NodeNotes notes = {{"h", {"the product", {{"scope", "layer"}, {"", "no key"}}}}};
  ASSERT_TRUE(ExportOnnx(graph, path_, meta, notes).ok());
  OnnxInfo info;
  const Result<Graph> back = ImportOnnx(path_, &info);
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(back->ToString(), graph.ToString());
  EXPECT_EQ(back->node(0).name, "product");
  EXPECT_EQ(info.notes, notes);
  EXPECT_THAT(back->input_docs, ElementsAre("rows"));
  EXPECT_EQ(HashTensor(*back->value(ValueNamed(*back, "w")).constant),
            HashTensor(*graph.value(ValueNamed(graph, "w")).constant));
  EXPECT_THAT(info.meta.Producer(), HasSubstr("tamis "));
  meta.producer_name = info.meta.producer_name;
  meta.producer_version = info.meta.producer_version;
  EXPECT_EQ(info.meta, meta);
  meta.producer_name = "maker";
  meta.producer_version = "";
  ASSERT_TRUE(ExportOnnx(graph, path_, meta).ok());
  ASSERT_TRUE(ImportOnnx(path_, &info).ok());
  EXPECT_EQ(info.meta, meta);
  EXPECT_EQ(info.ir_version, 8);
  EXPECT_THAT(folder_.List(), ElementsAre("model.onnx"));
}

TEST_F(OnnxExport, NamesBecomeUniqueAndNotEmpty) {
  Graph graph = Import(SmallModel());
  for (NodeId id : graph.NodeIds()) graph.node(id).name = "same";
  graph.value(ValueNamed(graph, "h")).name = "y";  // the name of an output
  graph.value(ValueNamed(graph, "w")).name = "";
  const onnx::ModelProto model = Export(graph);
  EXPECT_EQ(model.graph().node(0).name(), "same");
  EXPECT_EQ(model.graph().node(1).name(), "same_2");
  EXPECT_EQ(model.graph().node(0).output(0), "y_2");
  EXPECT_EQ(model.graph().node(1).output(0), "y");
  EXPECT_EQ(model.graph().initializer(0).name(), "value");
  EXPECT_TRUE(ImportOnnx(path_).ok());
}

TEST_F(OnnxExport, WritesNoMetadataThatTheImporterRefuses) {
  ModelMeta meta;
  for (uint64_t i = 0; i <= kMaxMetaProperties; ++i) meta.properties.emplace_back(std::to_string(i), "");
  EXPECT_THAT(ExportOnnx(Import(SmallModel()), path_, meta).message(), HasSubstr("metadata are 65537 properties"));
  EXPECT_THAT(folder_.List(), IsEmpty());
}

TEST_F(OnnxExport, LeavesOutConstantsThatNobodyReads) {
  Graph graph = Import(SmallModel());
  graph.AddConstant("unused", Tensor::Float(1));
  EXPECT_EQ(Export(graph).graph().initializer_size(), 1);
}

TEST_F(OnnxExport, RegionsKeepTheirCaptures) {
  Graph graph = Import(SmallModel());
  const ValueId h = ValueNamed(graph, "h"), w = ValueNamed(graph, "w");
  auto body = std::make_unique<Graph>();
  body->opsets = graph.opsets;
  const ValueId captured = body->AddValue("h", graph.value(h).type);
  const ValueId shared = body->AddConstant("w", *graph.value(w).constant);
  const ValueId own = body->AddConstant("own", Tensor::Float(2));
  const ValueId result = body->AddValue("y");
  body->inputs = {captured};
  body->AddNode(MakeNode("Add", "", {captured, own}, {result}));
  body->outputs = {result, result, captured, shared};
  Node node = MakeNode("If", "", {graph.inputs[0]}, {});
  for (int i = 0; i < 4; ++i) node.outputs.push_back(graph.AddValue("r"));
  const std::vector<ValueId> results = node.outputs;
  node.regions.push_back({"then_branch", std::move(body), {h}});
  graph.AddNode(std::move(node));
  graph.outputs.push_back(graph.AddValue("last"));
  graph.AddNode(MakeNode("Sum", "", results, {graph.outputs.back()}));

  const onnx::ModelProto model = Export(graph);
  const onnx::NodeProto& branch = model.graph().node(2);
  EXPECT_THAT(branch.output(), ElementsAre("r", "r_2", "r_3", "r_4"));
  EXPECT_EQ(branch.name(), "If");
  const onnx::GraphProto& written = branch.attribute(0).g();
  EXPECT_EQ(written.input_size(), 0);
  ASSERT_EQ(written.initializer_size(), 1);  // w is read from outside
  EXPECT_EQ(written.initializer(0).name(), "own");
  EXPECT_THAT(written.node(0).input(), ElementsAre("h", "own"));
  EXPECT_EQ(written.output(0).name(), written.node(0).output(0));
  ASSERT_EQ(written.node_size(), 4);  // a second use, a capture and a constant go through an Identity
  for (int i = 1; i < 4; ++i) {
    EXPECT_EQ(written.node(i).op_type(), "Identity");
    EXPECT_EQ(written.node(i).output(0), written.output(i).name());
  }
  EXPECT_EQ(written.node(2).input(0), "h");
  EXPECT_EQ(written.node(3).input(0), "w");
  std::multiset<std::string> names;
  CollectDefinitions(model.graph(), &names);
  EXPECT_EQ(names.size(), std::set<std::string>(names.begin(), names.end()).size());
}

TEST_F(OnnxExport, StringsAndEmptyOptionalsComeBack) {
  onnx::ModelProto model = EmptyModel();
  auto* graph = model.mutable_graph();
  SetType(graph->add_input(), "x", {2}, onnx::TensorProto::STRING);
  auto* words = graph->add_initializer();
  words->set_name("words");
  words->set_data_type(onnx::TensorProto::STRING);
  words->add_dims(2);
  words->add_string_data("a");
  words->add_string_data(std::string("b\0c", 3));
  AddNode(graph, "SequenceConstruct", {"x", "words"}, {"list"});
  auto* optional = AddNode(graph, "Optional", {}, {"nothing"});
  AddAttribute(optional, "type", onnx::AttributeProto::TYPE_PROTO)
      ->mutable_tp()
      ->mutable_sequence_type()
      ->mutable_elem_type()
      ->mutable_tensor_type()
      ->set_elem_type(onnx::TensorProto::STRING);
  graph->add_output()->set_name("list");
  graph->add_output()->set_name("nothing");

  const onnx::ModelProto written = Export(Import(model));
  EXPECT_THAT(written.graph().initializer(0).string_data(), ElementsAre("a", std::string("b\0c", 3)));
  EXPECT_FALSE(written.graph().initializer(0).has_raw_data());
  const Graph again = Import(written);
  EXPECT_EQ(again.value(again.outputs[0]).type.ToString(), "sequence(string[2])");
  EXPECT_EQ(again.value(again.outputs[1]).type.ToString(), "optional(sequence(string[...]))");
}

TEST_F(OnnxExport, LargeWeightsGoToAnExternalFile) {
  onnx::ModelProto model = SmallModel();
  std::vector<float> numbers(4 * 300);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i);
  for (const std::string name : {"a", "b"}) {
    AddFloats(model.mutable_graph(), name, {4, 300}, numbers);
    AddNode(model.mutable_graph(), "MatMul", {"x", name}, {"y" + name});
    SetType(model.mutable_graph()->add_output(), "y" + name, {"batch", 300});
  }
  const Graph graph = Import(model);
  ASSERT_TRUE(WriteModel(graph, path_, {}, {}, 4000).ok());
  EXPECT_THAT(folder_.List(), UnorderedElementsAre("model.onnx", "model.onnx.data"));
  const onnx::ModelProto written = Load();
  for (const auto& tensor : written.graph().initializer()) {
    EXPECT_EQ(tensor.data_location() == onnx::TensorProto::EXTERNAL, tensor.name() != "w") << tensor.name();
  }
  const Result<Graph> back = ImportOnnx(path_);
  ASSERT_TRUE(back.ok()) << back.status().message();
  for (const char* name : {"w", "a", "b"}) {
    EXPECT_EQ(HashTensor(*back->value(ValueNamed(*back, name)).constant),
              HashTensor(*graph.value(ValueNamed(graph, name)).constant));
  }
}

TEST_F(OnnxExport, IrVersionFollowsOperatorSetAndTypes) {
  EXPECT_EQ(IrVersion(7), 4);
  EXPECT_EQ(IrVersion(13), 7);
  EXPECT_EQ(IrVersion(17), 8);
  EXPECT_EQ(IrVersion(21), 10);
  EXPECT_EQ(IrVersion(28), 14);
  Graph graph = Import(SmallModel());
  graph.AddNode(MakeNode("Cast", "", {graph.AddConstant("small", Tensor(DType::kInt4, {3}))}, {graph.AddValue("c")}));
  EXPECT_EQ(Export(graph).ir_version(), 10);
}

TEST_F(OnnxExport, RefusesWhatOnnxCannotSay) {
  Graph graph = Import(SmallModel());
  graph.opsets["tamis"] = 1;
  graph.AddNode(MakeNode("Linear", "tamis", {graph.inputs[0]}, {graph.AddValue("l")}, {}, "fused"));
  graph.outputs.push_back(graph.outputs[0]);
  graph.value(graph.inputs[0]).name = "";
  EXPECT_THAT(ExportOnnx(graph, path_).message(),
              AllOf(HasSubstr("'fused' is tamis.Linear"), HasSubstr("output 'y' is listed twice"),
                    HasSubstr("the name '' of an input or output")));
  EXPECT_THAT(folder_.List(), IsEmpty());
}

TEST_F(OnnxExport, UnwritablePlacesAreReported) {
  const Graph graph = Import(SmallModel());
  const Status status = ExportOnnx(graph, folder_.path() + "/no/such/folder/model.onnx");
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.kind(), ErrorKind::kRuntime);
  EXPECT_THAT(status.message(), HasSubstr("No such file"));
}

// A limit on file sizes stands in for a full disk: write() fails in the same place.
TEST_F(OnnxExport, FailedWriteLeavesNothingAndKeepsTheOldFile) {
  onnx::ModelProto model = SmallModel();
  Export(Import(model));
  AddFloats(model.mutable_graph(), "large", {4, 2048}, std::vector<float>(4 * 2048, 1.0f));
  AddNode(model.mutable_graph(), "MatMul", {"x", "large"}, {"z"});
  SetType(model.mutable_graph()->add_output(), "z", {"batch", 2048});
  const Graph graph = Import(model);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{8192, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status inline_status = WriteModel(graph, path_, {}, {}, kMaxInlineBytes);
  const Status external_status = WriteModel(graph, path_, {}, {}, 0);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  for (const Status& status : {inline_status, external_status}) {
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.kind(), ErrorKind::kRuntime);
  }
  EXPECT_THAT(folder_.List(), ElementsAre("model.onnx"));
  EXPECT_EQ(Load().graph().initializer_size(), 1);
}

}  // namespace
}  // namespace tamis
