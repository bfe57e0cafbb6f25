#include "src/onnx/string_limits.h"

#include <fmt/format.h>

#include "src/ir/model_meta.h"

namespace tamis {
namespace {

class StringCheck {
 public:
  explicit StringCheck(Problems* problems) : problems_(problems) {}

  void Model(const onnx::ModelProto& model) {
    Name(model.domain(), "the model's domain");
    Name(model.producer_name(), "the producer's name");
    Name(model.producer_version(), "the producer's version");
    Text(model.doc_string(), "the model's documentation");
    uint64_t meta_bytes = model.domain().size() + model.producer_name().size() + model.producer_version().size() +
                          model.doc_string().size() + model.graph().doc_string().size();
    for (const auto& entry : model.metadata_props()) {
      Name(entry.key(), "a metadata key");
      Text(entry.value(), "the metadata of", entry.key());
      meta_bytes += entry.key().size() + entry.value().size();
    }
    problems_->Add(CheckMetaSize(static_cast<uint64_t>(model.metadata_props_size()), meta_bytes));
    for (const auto& opset : model.opset_import()) Name(opset.domain(), "an operator set's domain");
    Graph(model.graph());
    for (const auto& function : model.functions()) Function(function);
  }

 private:
  void Bounded(const std::string& value, size_t limit, std::string_view what, const std::string* owner) {
    if (value.size() <= limit) return;
    problems_->Add(fmt::format("{}{}{} has {} bytes, at most {} are supported: {}", what, owner ? " " : "",
                               owner ? Quote(*owner) : "", value.size(), limit, Quote(value)));
  }
  void Name(const std::string& value, std::string_view what) { Bounded(value, kMaxNameBytes, what, nullptr); }
  void Text(const std::string& value, std::string_view what) { Bounded(value, kMaxTextBytes, what, nullptr); }
  void Text(const std::string& value, std::string_view what, const std::string& owner) {
    Bounded(value, kMaxTextBytes, what, &owner);
  }

  void Graph(const onnx::GraphProto& graph) {
    Name(graph.name(), "a graph's name");
    Text(graph.doc_string(), "the documentation of graph", graph.name());
    for (const auto& input : graph.input()) Info(input);
    for (const auto& output : graph.output()) Info(output);
    for (const auto& info : graph.value_info()) Info(info);
    for (const auto& tensor : graph.initializer()) Tensor(tensor);
    for (const auto& tensor : graph.sparse_initializer()) Tensor(tensor.values());
    for (const auto& node : graph.node()) Node(node);
  }

  void Function(const onnx::FunctionProto& function) {
    Name(function.domain(), "a function's domain");
    Name(function.name(), "a function's name");
    Name(function.overload(), "a function's overload");
    Text(function.doc_string(), "the documentation of function", function.name());
    for (const auto& name : function.input()) Name(name, "an input's name");
    for (const auto& name : function.output()) Name(name, "an output's name");
    for (const auto& name : function.attribute()) Name(name, "an attribute's name");
    for (const auto& attribute : function.attribute_proto()) Attribute(attribute);
    for (const auto& node : function.node()) Node(node);
  }

  void Node(const onnx::NodeProto& node) {
    Name(node.name(), "a node's name");
    Name(node.op_type(), "an operator's name");
    Name(node.domain(), "an operator's domain");
    Name(node.overload(), "an operator's overload");
    Text(node.doc_string(), "the documentation of node", node.name());
    for (const auto& entry : node.metadata_props()) {
      Name(entry.key(), "a metadata key");
      Text(entry.value(), "the metadata of node", node.name());
    }
    for (const auto& name : node.input()) Name(name, "an input's name");
    for (const auto& name : node.output()) Name(name, "an output's name");
    for (const auto& attribute : node.attribute()) Attribute(attribute);
  }

  void Attribute(const onnx::AttributeProto& attribute) {
    Name(attribute.name(), "an attribute's name");
    Name(attribute.ref_attr_name(), "an attribute's name");
    Text(attribute.s(), "attribute", attribute.name());
    for (const auto& text : attribute.strings()) Text(text, "a string of attribute", attribute.name());
    if (attribute.has_t()) Tensor(attribute.t());
    if (attribute.has_sparse_tensor()) Tensor(attribute.sparse_tensor().values());
    if (attribute.has_tp()) Type(attribute.tp());
    if (attribute.has_g()) Graph(attribute.g());
    for (const auto& graph : attribute.graphs()) Graph(graph);
  }

  void Tensor(const onnx::TensorProto& tensor) {
    Name(tensor.name(), "an initializer's name");
    Text(tensor.doc_string(), "the documentation of initializer", tensor.name());
    for (const auto& text : tensor.string_data()) Text(text, "a string of tensor", tensor.name());
    for (const auto& entry : tensor.external_data()) Name(entry.value(), "an entry of external_data");
  }

  void Info(const onnx::ValueInfoProto& info) {
    Name(info.name(), "a value's name");
    Text(info.doc_string(), "the documentation of value", info.name());
    Type(info.type());
  }

  void Type(const onnx::TypeProto& type) {
    for (const auto& dim : type.tensor_type().shape().dim()) Name(dim.dim_param(), "a dimension's name");
    if (type.has_sequence_type()) Type(type.sequence_type().elem_type());
    if (type.has_optional_type()) Type(type.optional_type().elem_type());
  }

  Problems* problems_;
};

}  // namespace

void CheckStrings(const onnx::ModelProto& model, Problems* problems) {
  StringCheck(problems).Model(model);
}

}  // namespace tamis
