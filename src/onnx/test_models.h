// For tests: models written with few words. Header only; not used by the library.
#pragma once

#include <onnx-ml.pb.h>

#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "src/onnx/onnx.h"

namespace tamis {

using Names = std::vector<std::string>;

// A dimension of a declared shape: a number, a name, or nothing at all.
struct TestDim {
  TestDim(int64_t v) : value(v), known(true) {}       // NOLINT: implicit by design
  TestDim(const char* p) : param(p), known(false) {}  // NOLINT: implicit by design
  int64_t value = 0;
  std::string param;
  bool known;
};

inline void SetType(onnx::ValueInfoProto* info, const std::string& name, std::initializer_list<TestDim> dims,
                    int32_t dtype = onnx::TensorProto::FLOAT) {
  info->set_name(name);
  auto* tensor = info->mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(dtype);
  tensor->mutable_shape();
  for (const TestDim& dim : dims) {
    auto* out = tensor->mutable_shape()->add_dim();
    if (dim.known) out->set_dim_value(dim.value);
    if (!dim.known && !dim.param.empty()) out->set_dim_param(dim.param);
  }
}

inline onnx::NodeProto* AddNode(onnx::GraphProto* graph, const std::string& op, const Names& inputs,
                                const Names& outputs, const std::string& name = "") {
  auto* node = graph->add_node();
  node->set_op_type(op);
  node->set_name(name);
  for (const auto& input : inputs) node->add_input(input);
  for (const auto& output : outputs) node->add_output(output);
  return node;
}

inline onnx::AttributeProto* AddAttribute(onnx::NodeProto* node, const std::string& name,
                                          onnx::AttributeProto::AttributeType type) {
  auto* attribute = node->add_attribute();
  attribute->set_name(name);
  attribute->set_type(type);
  return attribute;
}

inline onnx::GraphProto* AddBody(onnx::NodeProto* node, const std::string& name) {
  return AddAttribute(node, name, onnx::AttributeProto::GRAPH)->mutable_g();
}

inline onnx::TensorProto* AddFloats(onnx::GraphProto* graph, const std::string& name, const std::vector<int64_t>& dims,
                                    const std::vector<float>& values) {
  auto* tensor = graph->add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(onnx::TensorProto::FLOAT);
  for (int64_t dim : dims) tensor->add_dims(dim);
  tensor->set_raw_data(values.data(), values.size() * sizeof(float));
  return tensor;
}

// The weights of `tensor` lie in a file.
inline void MakeExternal(onnx::TensorProto* tensor, const std::string& location, int64_t offset, int64_t length = -1) {
  tensor->clear_raw_data();
  tensor->clear_external_data();
  tensor->set_data_location(onnx::TensorProto::EXTERNAL);
  const auto add = [&](const std::string& key, const std::string& value) {
    auto* entry = tensor->add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  };
  add("location", location);
  add("offset", std::to_string(offset));
  if (length >= 0) add("length", std::to_string(length));
}

// A model with an empty graph, IR version 8 and operator set 17.
inline onnx::ModelProto EmptyModel() {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(17);
  model.mutable_graph()->set_name("test");
  return model;
}

// x[batch, 4] -> MatMul with w[4, 3] -> h -> Relu -> y[batch, 3]
inline onnx::ModelProto SmallModel() {
  onnx::ModelProto model = EmptyModel();
  auto* graph = model.mutable_graph();
  SetType(graph->add_input(), "x", {"batch", 4});
  SetType(graph->add_output(), "y", {"batch", 3});
  AddFloats(graph, "w", {4, 3}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  AddNode(graph, "MatMul", {"x", "w"}, {"h"}, "product");
  AddNode(graph, "Relu", {"h"}, {"y"}, "activation");
  return model;
}

inline Result<Graph> ImportModel(const onnx::ModelProto& model, const std::string& folder = "",
                                 OnnxInfo* info = nullptr) {
  const std::string bytes = model.SerializeAsString();
  return ImportOnnxBytes(bytes.data(), bytes.size(), folder, info);
}

// The message of a failed import; empty if it succeeded.
inline std::string ImportError(const onnx::ModelProto& model, const std::string& folder = "") {
  const Result<Graph> graph = ImportModel(model, folder);
  return graph.ok() ? "" : graph.status().message();
}

// kNoValue if there is none.
inline ValueId ValueNamed(const Graph& graph, std::string_view name) {
  for (size_t i = 0; i < graph.NumValues(); ++i) {
    if (graph.value(static_cast<ValueId>(i)).name == name) return static_cast<ValueId>(i);
  }
  return kNoValue;
}

}  // namespace tamis
