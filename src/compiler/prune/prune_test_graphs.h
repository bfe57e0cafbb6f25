// Small networks, unfused and fused by hand, for the tests of pruning.
#pragma once

#include <random>

#include "src/ir/graph.h"
#include "src/ops/op_def.h"
#include "tamis/session.h"

namespace tamis {

inline Tensor RandomTensor(Dims dims, std::mt19937& random, float scale = 1) {
  std::normal_distribution<float> normal;
  Tensor tensor(DType::kFloat32, std::move(dims));
  for (float& x : tensor.Span<float>()) x = scale * normal(random);
  return tensor;
}

// A pair of graphs that share names of inputs and initializers.
struct GraphPair {
  Graph simplified, fused;

  GraphPair() {
    for (Graph* graph : {&simplified, &fused}) graph->opsets = {{"", 17}, {std::string(kTamisDomain), 1}};
  }
  void Input(const std::string& name, DType dtype, const Shape& shape) {
    for (Graph* graph : {&simplified, &fused}) {
      graph->inputs.push_back(graph->AddValue(name, Type::Tensor(dtype, shape)));
    }
  }
};

inline ValueId ValueNamed(const Graph& graph, const std::string& name) {
  for (size_t i = 0; i < graph.NumValues(); ++i) {
    if (graph.value(static_cast<ValueId>(i)).name == name) return static_cast<ValueId>(i);
  }
  return kNoValue;
}

// Appends a node that reads values by name ("" is omitted) and writes `output`.
inline NodeId Append(Graph& graph, const std::string& op, std::string_view domain,
                     const std::vector<std::string>& inputs, const std::string& output,
                     std::map<std::string, Attribute> attributes = {}) {
  Node node;
  node.op = op;
  node.domain = std::string(domain);
  node.name = output + "_node";
  node.attributes = std::move(attributes);
  for (const std::string& name : inputs) node.inputs.push_back(name.empty() ? kNoValue : ValueNamed(graph, name));
  node.outputs = {graph.AddValue(output)};
  return graph.AddNode(std::move(node));
}

inline void Constant(Graph& graph, const std::string& name, Tensor tensor, std::optional<WeightOrigin> origin = {}) {
  const ValueId id = graph.AddConstant(name, std::move(tensor));
  graph.value(id).origin = std::move(origin);
}

inline Tensor Permuted(const Tensor& tensor, const std::vector<size_t>& axes) {
  Dims dims;
  for (const size_t axis : axes) dims.push_back(tensor.dims()[axis]);
  Tensor result(DType::kFloat32, dims);
  Dims at(dims.size(), 0);
  for (int64_t i = 0; i < result.NumElements(); ++i) {
    Dims source(dims.size());
    for (size_t j = 0; j < axes.size(); ++j) source[axes[j]] = at[j];
    int64_t flat = 0;
    for (size_t j = 0; j < dims.size(); ++j) flat = flat * tensor.dims()[j] + source[j];
    result.Data<float>()[i] = tensor.Data<float>()[flat];
    for (size_t j = dims.size(); j-- > 0 && ++at[j] == dims[j];) at[j] = 0;
  }
  return result;
}

// y = x W + b as MatMul and Add, and as Linear; without `bias` only the product.
inline void AddDense(GraphPair& network, const std::string& x, const std::string& y, const Tensor& weight, bool bias,
                     std::mt19937& random) {
  const std::string w = y + ".weight", b = y + ".bias";
  Constant(network.simplified, w, weight);
  Constant(network.fused, w + "_rows", Permuted(weight, {1, 0}), WeightOrigin{w, WeightTransform::kTransposed2D});
  if (!bias) {
    Append(network.simplified, "MatMul", "", {x, w}, y);
    Append(network.fused, "Linear", kTamisDomain, {x, w + "_rows"}, y);
    return;
  }
  const Tensor values = RandomTensor({weight.dim(1)}, random);
  Constant(network.simplified, b, values);
  Constant(network.fused, b, values);
  Append(network.simplified, "MatMul", "", {x, w}, y + "_product");
  Append(network.simplified, "Add", "", {b, y + "_product"}, y);
  Append(network.fused, "Linear", kTamisDomain, {x, w + "_rows", b}, y);
}

inline void AddRelu(GraphPair& network, const std::string& x, const std::string& y) {
  for (Graph* graph : {&network.simplified, &network.fused}) Append(*graph, "Relu", "", {x}, y);
}

// Conv and ChannelsLastConv; `weight` is [O, I, R, S].
inline void AddConv(GraphPair& network, const std::string& x, const std::string& y, const Tensor& weight, bool bias,
                    int64_t stride, int64_t pad, int64_t group, std::mt19937& random) {
  const std::map<std::string, Attribute> attributes = {{"strides", std::vector<int64_t>{stride, stride}},
                                                       {"pads", std::vector<int64_t>(4, pad)},
                                                       {"dilations", std::vector<int64_t>{1, 1}},
                                                       {"group", group}};
  std::vector<std::string> inputs = {x, y + ".weight"}, fused_inputs = {x, y + ".weight_last"};
  Constant(network.simplified, inputs[1], weight);
  Constant(network.fused, fused_inputs[1], Permuted(weight, {0, 2, 3, 1}),
           WeightOrigin{inputs[1], WeightTransform::kOihwToOhwi});
  if (bias) {
    const Tensor values = RandomTensor({weight.dim(0)}, random);
    for (Graph* graph : {&network.simplified, &network.fused}) Constant(*graph, y + ".bias", values);
    inputs.push_back(y + ".bias");
    fused_inputs.push_back(y + ".bias");
  }
  Append(network.simplified, "Conv", "", inputs, y, attributes);
  Append(network.fused, "ChannelsLastConv", kTamisDomain, fused_inputs, y, attributes);
}

// Every value of the graph by the references. Static, as other tests' graphs (src/passes/test_graph.h) are evaluated by
// a function of the same name and operands.
static inline Result<NamedTensors> Evaluate(const Graph& graph, const NamedTensors& inputs) {
  NamedTensors values = inputs;
  for (size_t i = 0; i < graph.NumValues(); ++i) {
    const Value& value = graph.value(static_cast<ValueId>(i));
    if (value.constant) values[value.name] = *value.constant;
  }
  for (const NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    std::vector<const Tensor*> operands;
    for (const ValueId v : node.inputs) operands.push_back(v == kNoValue ? nullptr : &values.at(graph.value(v).name));
    TAMIS_ASSIGN_OR_RETURN(const std::vector<Tensor> outputs, EvaluateNode(node, graph.Opset(node.domain), operands));
    for (size_t i = 0; i < outputs.size(); ++i) values[graph.value(node.outputs[i]).name] = outputs[i];
  }
  return values;
}

}  // namespace tamis
