#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "src/onnx/test_models.h"

namespace tamis {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string ErrorOfBytes(const std::string& bytes) {
  const Result<Graph> graph = ImportOnnxBytes(bytes.data(), bytes.size(), "");
  if (graph.ok()) return "";
  EXPECT_EQ(graph.status().kind(), ErrorKind::kUser);
  return graph.status().message();
}

TEST(OnnxImport, BuildsGraphWithSymbolicShapes) {
  OnnxInfo info;
  onnx::ModelProto model = SmallModel();
  model.set_producer_name("maker");
  model.set_producer_version("1.2");
  const Result<Graph> graph = ImportModel(model, "", &info);
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  ASSERT_EQ(graph->NumNodes(), 2u);
  EXPECT_EQ(graph->node(0).name, "product");
  EXPECT_EQ(graph->value(graph->inputs.at(0)).type.ToString(), "float32[batch, 4]");
  EXPECT_EQ(graph->value(ValueNamed(*graph, "h")).type.ToString(), "float32[batch, 3]");
  EXPECT_EQ(graph->value(graph->outputs.at(0)).name, "y");
  EXPECT_EQ(graph->value(ValueNamed(*graph, "w")).constant->Span<float>()[11], 11.0f);
  EXPECT_EQ(graph->Opset(), 17);
  EXPECT_EQ(info.meta.Producer(), "maker 1.2");
  EXPECT_EQ(info.ir_version, 8);
  EXPECT_EQ(info.hash.size(), 16u);
}

TEST(OnnxImport, PropertiesKeepTheFilesOrderAndTheLastValue) {
  using Properties = std::vector<std::pair<std::string, std::string>>;
  onnx::ModelProto model = SmallModel();
  for (const auto& [key, value] : Properties{{"task", "old"}, {"author", "someone"}, {"task", "test"}}) {
    auto* entry = model.add_metadata_props();
    entry->set_key(key);
    entry->set_value(value);
  }
  OnnxInfo info;
  ASSERT_TRUE(ImportModel(model, "", &info).ok());
  EXPECT_EQ(info.meta.properties, (Properties{{"task", "test"}, {"author", "someone"}}));
}

TEST(OnnxImport, TooManyPropertiesAreRefused) {
  onnx::ModelProto model = SmallModel();
  for (uint64_t i = 0; i <= kMaxMetaProperties; ++i) model.add_metadata_props()->set_key(std::to_string(i));
  EXPECT_THAT(ErrorOfBytes(model.SerializeAsString()), HasSubstr("metadata are 65537 properties"));
}

TEST(OnnxImport, DimensionsWithoutNameGetOne) {
  onnx::ModelProto model = EmptyModel();
  SetType(model.mutable_graph()->add_input(), "input ids", {"", "?", "input_ids_dim0", "2*s0 + 1", -1});
  SetType(model.mutable_graph()->add_output(), "y", {"", "", "", "", ""});
  AddNode(model.mutable_graph(), "Relu", {"input ids"}, {"y"});
  const Result<Graph> graph = ImportModel(model);
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(graph->value(graph->inputs[0]).type.ToString(),
            "float32[input_ids_dim0_2, input_ids_dim1, input_ids_dim0, dim_2_s0___1, input_ids_dim4]");
  EXPECT_EQ(graph->value(graph->outputs[0]).type.ToString(), graph->value(graph->inputs[0]).type.ToString());
}

TEST(OnnxImport, WrongDeclarationsOfOutputsAreRemarks) {
  onnx::ModelProto model = EmptyModel();
  SetType(model.mutable_graph()->add_input(), "x", {2, 3});
  SetType(model.mutable_graph()->add_value_info(), "h", {5, 3});
  SetType(model.mutable_graph()->add_output(), "y", {6});
  AddNode(model.mutable_graph(), "Relu", {"x"}, {"h"});
  AddNode(model.mutable_graph(), "Relu", {"h"}, {"y"});
  OnnxInfo info;
  const Result<Graph> graph = ImportModel(model, "", &info);
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(graph->value(graph->outputs[0]).type.ToString(), "float32[2, 3]");
  ASSERT_EQ(info.remarks.size(), 2u);
  EXPECT_THAT(info.remarks[0], HasSubstr("output 'h': shape [5, 3] is declared but [2, 3] follows"));
  EXPECT_THAT(info.remarks[1], HasSubstr("output 'y': shape [6] is declared but [2, 3] follows"));
}

TEST(OnnxImport, CastsThatPyTorchWritesWithItsOwnNumberOfBfloat16AreRead) {
  onnx::ModelProto model = EmptyModel();
  SetType(model.mutable_graph()->add_input(), "x", {2});
  SetType(model.mutable_graph()->add_output(), "y", {2});
  model.mutable_graph()->mutable_output(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
      onnx::TensorProto::BFLOAT16);
  auto* node = AddNode(model.mutable_graph(), "Cast", {"x"}, {"y"});
  auto* to = node->add_attribute();
  to->set_name("to");
  to->set_type(onnx::AttributeProto::INT);
  to->set_i(onnx::TensorProto::COMPLEX128);
  EXPECT_THAT(ImportError(model), HasSubstr("a conversion to element type 15 of ONNX is not supported"));
  model.set_producer_name("pytorch");
  OnnxInfo info;
  const Result<Graph> graph = ImportModel(model, "", &info);
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(graph->value(graph->outputs[0]).type.ToString(), "bfloat16[2]");
  EXPECT_THAT(info.remarks, ::testing::ElementsAre(HasSubstr("is read as one to bfloat16")));
}

TEST(OnnxImport, InitializersListedAsInputsAreConstants) {
  onnx::ModelProto model = SmallModel();
  model.set_ir_version(3);
  SetType(model.mutable_graph()->add_input(), "w", {4, 3});
  const Result<Graph> graph = ImportModel(model);
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  ASSERT_EQ(graph->inputs.size(), 1u);
  EXPECT_TRUE(graph->value(ValueNamed(*graph, "w")).IsConstant());
  SetType(model.mutable_graph()->mutable_input(1), "w", {4, 5});
  EXPECT_THAT(ImportError(model), HasSubstr("initializer 'w' is float32[4, 3] but is declared as"));
}

TEST(OnnxImport, WrongDeclarationsOfInitializersAreRemarks) {
  onnx::ModelProto model = SmallModel();
  SetType(model.mutable_graph()->add_value_info(), "w", {});
  OnnxInfo info;
  const Result<Graph> graph = ImportModel(model, "", &info);
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  ASSERT_EQ(info.remarks.size(), 1u);
  EXPECT_THAT(info.remarks[0], HasSubstr("initializer 'w' is float32[4, 3] but is declared as float32[]"));
}

TEST(OnnxImport, SortsNodes) {
  onnx::ModelProto model = SmallModel();
  model.mutable_graph()->mutable_node()->SwapElements(0, 1);
  const Result<Graph> graph = ImportModel(model);
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(graph->node(graph->NodeIds()[0]).op, "MatMul");
}

TEST(OnnxImport, ReportsCycle) {
  onnx::ModelProto model = SmallModel();
  AddNode(model.mutable_graph(), "Add", {"x", "b"}, {"a"}, "first");
  AddNode(model.mutable_graph(), "Relu", {"a"}, {"b"}, "second");
  EXPECT_THAT(ImportError(model), AllOf(HasSubstr("cycle"), HasSubstr("'first'"), HasSubstr("'second'")));
}

TEST(OnnxImport, ListsEveryUnknownOperator) {
  onnx::ModelProto model = SmallModel();
  model.add_opset_import()->set_domain("com.microsoft");
  model.mutable_opset_import(1)->set_version(1);
  auto* graph = model.mutable_graph();
  AddNode(graph, "NoSuchOp", {"x"}, {"a"}, "n1");
  AddNode(graph, "NoSuchOp", {"a"}, {"b"}, "n2");
  AddNode(graph, "Fancy", {"x"}, {"c"})->set_domain("com.microsoft");
  AddNode(graph, "Linear", {"x", "w"}, {"d"})->set_domain("tamis");
  const std::string error = ImportError(model);
  EXPECT_THAT(error, HasSubstr("3 operators are not known"));
  EXPECT_THAT(error, HasSubstr("'NoSuchOp' of ai.onnx 17: 2 nodes, named 'n1', 'n2'"));
  EXPECT_THAT(error, HasSubstr("'Fancy' of com.microsoft 1: 1 node, named 'c'"));
  EXPECT_THAT(error, HasSubstr("'Linear' of tamis"));
  EXPECT_THAT(error, HasSubstr("does not import"));  // domain tamis
}

TEST(OnnxImport, ListsEveryUnknownAttribute) {
  onnx::ModelProto model = SmallModel();
  auto* graph = model.mutable_graph();
  for (const auto& [node, attribute] :
       {std::pair("n1", "slope"), std::pair("n2", "colour"), std::pair("n3", "slope")}) {
    auto* proto = AddNode(graph, "LeakyRelu", {"x"}, {std::string("v") + node}, node);
    auto* added = proto->add_attribute();
    added->set_name(attribute);
    added->set_type(onnx::AttributeProto::FLOAT);
    added->set_f(1);
  }
  const std::string error = ImportError(model);
  EXPECT_THAT(error, HasSubstr("'slope' of operator 'LeakyRelu': 2 nodes, named 'n1', 'n3'"));
  EXPECT_THAT(error, HasSubstr("'colour' of operator 'LeakyRelu': 1 node, named 'n2'"));
}

TEST(OnnxImport, ListsEveryAttributeOfAWrongTypeBesideUnknownOperators) {
  onnx::ModelProto model = SmallModel();
  auto* graph = model.mutable_graph();
  for (const auto* node : {"n1", "n2"}) {
    auto* axis = AddNode(graph, "Softmax", {"x"}, {std::string("v") + node}, node)->add_attribute();
    axis->set_name("axis");
    axis->set_type(onnx::AttributeProto::FLOAT);
    axis->set_f(1);
  }
  auto* alpha = AddNode(graph, "Elu", {"x"}, {"vn3"}, "n3")->add_attribute();
  alpha->set_name("alpha");
  alpha->set_type(onnx::AttributeProto::INT);
  alpha->set_i(2);
  auto* body = AddNode(graph, "Loop", {"", "", "x"}, {"vn4"}, "n4")->add_attribute();
  body->set_name("body");
  body->set_type(onnx::AttributeProto::STRING);
  body->set_s("a graph");
  auto* perm = AddNode(graph, "Transpose", {"x"}, {"vn5"}, "n5")->add_attribute();  // some exporters' empty list
  perm->set_name("perm");
  perm->set_type(onnx::AttributeProto::FLOATS);
  AddNode(graph, "NoSuchOp", {"x"}, {"vn6"}, "n6");
  const std::string error = ImportError(model);
  EXPECT_THAT(error,
              HasSubstr("'axis' of operator 'Softmax' is a float, must be an integer: 2 nodes, named 'n1', 'n2'"));
  EXPECT_THAT(error, HasSubstr("'alpha' of operator 'Elu' is an integer, must be a float: 1 node, named 'n3'"));
  EXPECT_THAT(error, HasSubstr("'body' of operator 'Loop' is a string, must be a graph: 1 node, named 'n4'"));
  EXPECT_THAT(error, HasSubstr("'NoSuchOp' of ai.onnx"));
  EXPECT_THAT(error, Not(HasSubstr("perm")));
}

TEST(OnnxImport, ReportsAllUndefinedAndDuplicateNames) {
  onnx::ModelProto model = SmallModel();
  auto* graph = model.mutable_graph();
  AddNode(graph, "Add", {"nowhere", "w"}, {"h"}, "twice");
  AddNode(graph, "Add", {"nowhere", "gone"}, {"z"}, "other");
  SetType(graph->add_output(), "missing", {1});
  SetType(graph->add_output(), "y", {1});
  const std::string error = ImportError(model);
  EXPECT_THAT(error, HasSubstr("'nowhere' is not defined by any node, input or initializer; needed by"));
  EXPECT_THAT(error, AllOf(HasSubstr("twice"), HasSubstr("other")));
  EXPECT_THAT(error, HasSubstr("'gone' is not defined"));
  EXPECT_THAT(error, HasSubstr("value 'h' is defined twice: by MatMul 'product' and by Add 'twice'"));
  EXPECT_THAT(error, HasSubstr("'missing' is not defined"));
  EXPECT_THAT(error, HasSubstr("graph output 'y' is listed twice"));
}

TEST(OnnxImport, RefusesDimensionsThatNoTensorHas) {
  onnx::ModelProto model = SmallModel();
  auto* graph = model.mutable_graph();
  SetType(graph->add_input(), "negative", {-3});
  SetType(graph->add_input(), "overflow", {int64_t{1} << 40, int64_t{1} << 40});
  SetType(graph->add_input(), "empty", {int64_t{0}, int64_t{1} << 60});
  SetType(graph->add_input(), "large", {"n", (int64_t{1} << 46) + 1});
  graph->mutable_initializer(0)->set_dims(0, int64_t{1} << 40);
  const std::string error = ImportError(model);
  EXPECT_THAT(error, HasSubstr("value 'negative': shape [-3] has the negative dimension -3"));
  EXPECT_THAT(error, HasSubstr("value 'overflow': shape [1099511627776, 1099511627776] has more elements"));
  EXPECT_THAT(error, HasSubstr("value 'empty'"));
  EXPECT_THAT(error, HasSubstr("value 'large'"));
  EXPECT_THAT(error, HasSubstr("initializer 'w': float32[1099511627776, 3] needs"));
}

TEST(OnnxImport, RefusesInferredShapesThatOverflow) {
  onnx::ModelProto model = EmptyModel();
  auto* graph = model.mutable_graph();
  SetType(graph->add_input(), "a", {int64_t{1} << 24, 1});
  SetType(graph->add_input(), "b", {1, int64_t{1} << 24});
  SetType(graph->add_output(), "y", {"m", "n"});
  AddNode(graph, "MatMul", {"a", "b"}, {"y"});
  EXPECT_THAT(ImportError(model), AllOf(HasSubstr("value 'y'"), HasSubstr("2^46")));
}

TEST(OnnxImport, RefusesForeignBytes) {
  EXPECT_THAT(ErrorOfBytes(""), HasSubstr("empty"));
  EXPECT_THAT(ErrorOfBytes("Hello, this is no model.\nSecond line"),
              HasSubstr("text file, starting with 'Hello, this"));
  EXPECT_THAT(ErrorOfBytes("version https://git-lfs.github.com/spec/v1\noid sha256:0"), HasSubstr("git lfs pull"));
  EXPECT_THAT(ErrorOfBytes(std::string("PK\x03\x04\0\0\0\0", 8)), HasSubstr("zip"));
  EXPECT_THAT(ErrorOfBytes(std::string(100, '\xff')), HasSubstr("not an ONNX model"));
  EXPECT_THAT(ErrorOfBytes(std::string(100, '\0')), HasSubstr("not an ONNX model"));
}

TEST(OnnxImport, RefusesEveryTruncation) {
  const std::string bytes = SmallModel().SerializeAsString();
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(ErrorOfBytes(bytes.substr(0, size)), "") << "at " << size;
  }
  EXPECT_THAT(ErrorOfBytes(bytes.substr(0, bytes.size() / 2)),
              AllOf(HasSubstr("truncated"), HasSubstr(std::to_string(bytes.size() / 2) + " bytes")));
}

TEST(OnnxImport, FlippedBytesNeverCrash) {
  const std::string bytes = SmallModel().SerializeAsString();
  size_t refused = 0;
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      refused += !ImportOnnxBytes(damaged.data(), damaged.size(), "").ok();
    }
  }
  EXPECT_GT(refused, bytes.size());  // most flips break something; those in weights can't be seen
}

TEST(OnnxImport, RefusesOperatorSetsOutOfRange) {
  onnx::ModelProto model = SmallModel();
  for (int64_t version : {int64_t{6}, int64_t{29}, int64_t{0}, int64_t{-1}}) {
    model.mutable_opset_import(0)->set_version(version);
    EXPECT_THAT(ImportError(model), HasSubstr("7 to 28 are supported")) << version;
  }
  model.mutable_opset_import(0)->set_version(28);
  EXPECT_EQ(ImportError(model), "");
  model.clear_opset_import();
  EXPECT_THAT(ImportError(model), HasSubstr("opset_import is empty"));
  model = SmallModel();
  model.set_ir_version(99);
  EXPECT_THAT(ImportError(model), HasSubstr("IR version 99"));
}

TEST(OnnxImport, ConstantNodesBecomeConstants) {
  onnx::ModelProto model = SmallModel();
  auto* graph = model.mutable_graph();
  AddAttribute(AddNode(graph, "Constant", {}, {"one"}), "value_float", onnx::AttributeProto::FLOAT)->set_f(1.5f);
  auto* ints = AddAttribute(AddNode(graph, "Constant", {}, {"axes"}), "value_ints", onnx::AttributeProto::INTS);
  ints->add_ints(-1);
  ints->add_ints(2);
  AddNode(graph, "Add", {"y", "one"}, {"z"});
  SetType(graph->add_output(), "z", {"batch", 3});
  const Result<Graph> imported = ImportModel(model);
  ASSERT_TRUE(imported.ok()) << imported.status().message();
  EXPECT_EQ(imported->NumNodes(), 3u);
  EXPECT_EQ(imported->value(ValueNamed(*imported, "one")).constant->Data<float>()[0], 1.5f);
  EXPECT_EQ(imported->value(ValueNamed(*imported, "axes")).constant->ToInt64s(), (std::vector<int64_t>{-1, 2}));
}

TEST(OnnxImport, StringsAreRefusedOnlyWhereTheyAreUsed) {
  onnx::ModelProto model = SmallModel();
  auto* labels = model.mutable_graph()->add_initializer();
  labels->set_name("labels");
  labels->set_data_type(onnx::TensorProto::COMPLEX64);
  labels->add_dims(1);
  labels->add_float_data(1);
  labels->add_float_data(0);
  EXPECT_EQ(ImportError(model), "");
  AddNode(model.mutable_graph(), "Relu", {"labels"}, {"r"}, "reader");
  EXPECT_THAT(ImportError(model), AllOf(HasSubstr("initializer 'labels'"), HasSubstr("COMPLEX64 is not supported"),
                                        HasSubstr("needed by"), HasSubstr("reader")));
}

TEST(OnnxImport, DeclaredTypesOfValuesAreKept) {
  onnx::ModelProto model = SmallModel();
  SetType(model.mutable_graph()->add_value_info(), "h", {8, 3});
  const Result<Graph> graph = ImportModel(model);
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(graph->value(ValueNamed(*graph, "h")).type.ToString(), "float32[8, 3]");
  SetType(model.mutable_graph()->mutable_value_info(0), "h", {8, 4});
  OnnxInfo info;
  ASSERT_TRUE(ImportModel(model, "", &info).ok());
  ASSERT_EQ(info.remarks.size(), 1u);
  EXPECT_THAT(info.remarks[0], AllOf(HasSubstr("'product'"), HasSubstr("output 'h'")));
}

TEST(OnnxImport, NamesInMessagesArePrintable) {
  onnx::ModelProto model = SmallModel();
  AddNode(model.mutable_graph(), "Bad\x1b[31m\n\xff", {"x"}, {"a"});
  EXPECT_THAT(ImportError(model), AllOf(HasSubstr("Bad\\x1b[31m\\x0a\\xff"), Not(HasSubstr("\x1b"))));
}

TEST(OnnxImport, FileErrorsNameTheFile) {
  EXPECT_EQ(ImportOnnx("/no/such/model.onnx").status().message(),
            "/no/such/model.onnx: cannot be opened: No such file or directory");
  EXPECT_THAT(ImportOnnx("/").status().message(), HasSubstr("not a file"));
}

// `depth` bodies inside each other around one Relu.
std::string ErrorOfNested(int depth) {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto* graph = model.mutable_graph();
  SetType(graph->add_input(), "c", {}, onnx::TensorProto::BOOL);
  SetType(graph->add_input(), "x", {2});
  SetType(graph->add_output(), "y", {2});
  for (int i = 0; i < depth; ++i) {
    onnx::NodeProto* node = AddNode(graph, "If", {"c"}, {i == 0 ? "y" : "y" + std::to_string(i)});
    onnx::GraphProto* other = AddBody(node, "else_branch");
    const std::string result = "z" + std::to_string(i);
    AddNode(other, "Identity", {"x"}, {result});
    SetType(other->add_output(), result, {2});
    graph = AddBody(node, "then_branch");
    SetType(graph->add_output(), "y" + std::to_string(i + 1), {2});
  }
  AddNode(graph, "Relu", {"x"}, {depth == 0 ? "y" : "y" + std::to_string(depth)});
  return ErrorOfBytes(model.SerializeAsString());
}

TEST(OnnxImport, BoundsHowDeepBodiesNest) {
  EXPECT_EQ(ErrorOfNested(0), "");
  EXPECT_EQ(ErrorOfNested(30), "");
  EXPECT_THAT(ErrorOfNested(40), HasSubstr("nest too deeply: 100 messages"));
  EXPECT_THAT(ErrorOfNested(3000), HasSubstr("nest too deeply"));
}

TEST(OnnxImport, BoundsStrings) {
  const std::string longest(4096, 'n'), longer(4097, 'n');
  onnx::ModelProto model = SmallModel();
  model.mutable_graph()->set_name(longest);
  EXPECT_EQ(ErrorOfBytes(model.SerializeAsString()), "");
  model.mutable_graph()->set_name(longer);
  model.mutable_graph()->mutable_node(0)->set_name(longer);
  model.mutable_graph()->mutable_node(0)->set_doc_string(std::string((16 << 20) + 1, 'd'));
  AddAttribute(model.mutable_graph()->mutable_node(1), longer, onnx::AttributeProto::INT);
  SetType(model.mutable_graph()->add_value_info(), "v", {longer.c_str()});
  model.mutable_graph()->add_value_info()->set_name(longer);
  model.add_opset_import()->set_domain(longer);
  const std::string error = ErrorOfBytes(model.SerializeAsString());
  EXPECT_THAT(error, AllOf(HasSubstr("7 problems"), HasSubstr("a graph's name has 4097 bytes, at most 4096 are"),
                           HasSubstr("a node's name has 4097"), HasSubstr("the documentation of node 'nnn"),
                           HasSubstr("has 16777217 bytes, at most 16777216 are"),
                           HasSubstr("an attribute's name has 4097"), HasSubstr("a dimension's name has 4097"),
                           HasSubstr("a value's name has 4097"), HasSubstr("an operator set's domain has 4097")));
  EXPECT_LT(error.size(), 4000u) << "the strings themselves are cut";
}

}  // namespace
}  // namespace tamis
