// For tests: builds small graphs in code and evaluates them node by node with the operators' references.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "src/ops/op_def.h"
#include "src/passes/all_passes.h"
#include "src/passes/pass.h"

namespace tamis {

using Attributes = std::map<std::string, Attribute>;
using Feeds = std::map<std::string, Tensor>;

inline Tensor RandomTensor(Dims dims, uint32_t seed, float low = -1, float high = 1) {
  Tensor tensor(DType::kFloat32, std::move(dims));
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(low, high);
  for (float& x : tensor.Span<float>()) x = uniform(generator);
  return tensor;
}

// Adds nodes in order and infers each one's shape at once, so that a builder may look at shapes.
class TestGraph {
 public:
  explicit TestGraph(int64_t opset = 17) { graph.opsets[""] = opset; }

  ValueId Input(const std::string& name, Shape shape, DType dtype = DType::kFloat32) {
    graph.inputs.push_back(graph.AddValue(name, Type::Tensor(dtype, std::move(shape))));
    return graph.inputs.back();
  }
  ValueId Weight(Dims dims, float low = -1, float high = 1) {
    const uint32_t seed = seed_++;
    return graph.AddConstant("weight" + std::to_string(seed), RandomTensor(std::move(dims), seed, low, high));
  }
  ValueId Scalar(float value) { return graph.AddConstant(graph.FreshName("scalar"), Tensor::Float(value)); }
  ValueId Ints(const std::vector<int64_t>& values) {
    return graph.AddConstant(graph.FreshName("ints"), Tensor::Int64s(values));
  }
  ValueId Index(int64_t value) {
    return graph.AddConstant(graph.FreshName("index"), Tensor::Int64s(std::vector{value}).Reshaped({}));
  }
  ValueId Op(const std::string& op, std::vector<ValueId> inputs, Attributes attributes = {},
             std::string_view domain = "") {
    return Ops(op, std::move(inputs), 1, std::move(attributes), domain)[0];
  }
  std::vector<ValueId> Ops(const std::string& op, std::vector<ValueId> inputs, int outputs, Attributes attributes = {},
                           std::string_view domain = "") {
    Node node;
    node.op = op;
    node.domain = std::string(domain);
    node.inputs = std::move(inputs);
    node.attributes = std::move(attributes);
    for (int i = 0; i < outputs; ++i) node.outputs.push_back(graph.AddValue(graph.FreshName("v")));
    const std::vector<ValueId> result = node.outputs;
    const Status status = InferNode(graph, graph.AddNode(std::move(node)));
    EXPECT_TRUE(status.ok()) << status.message();
    return result;
  }
  void Output(ValueId value) { graph.outputs.push_back(value); }

  Graph graph;

 private:
  uint32_t seed_ = 1;
};

inline std::vector<Tensor> Evaluate(const Graph& graph, const Feeds& feeds) {
  std::vector<Tensor> values(graph.NumValues());
  for (size_t i = 0; i < values.size(); ++i) {
    const Value& value = graph.value(static_cast<ValueId>(i));
    if (value.constant) values[i] = *value.constant;
  }
  for (ValueId input : graph.inputs) values[static_cast<size_t>(input)] = feeds.at(graph.value(input).name);
  for (NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    std::vector<const Tensor*> operands;
    for (ValueId input : node.inputs)
      operands.push_back(input == kNoValue ? nullptr : &values[static_cast<size_t>(input)]);
    std::vector<DType> dtypes;
    for (ValueId output : node.outputs) {
      dtypes.push_back(output == kNoValue ? DType::kUndefined : graph.value(output).type.dtype);
    }
    auto results = EvaluateNode(node, graph.Opset(node.domain), operands, dtypes);
    EXPECT_TRUE(results.ok()) << results.status().message() << "\n" << graph.ToString();
    if (!results.ok()) return {};
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) values[static_cast<size_t>(node.outputs[i])] = (*results)[i];
    }
  }
  std::vector<Tensor> outputs;
  for (ValueId output : graph.outputs) outputs.push_back(values[static_cast<size_t>(output)]);
  return outputs;
}

// Every output has the same dtype and dimensions, and differs by at most tolerance * (largest magnitude).
inline void ExpectClose(const std::vector<Tensor>& expected, const std::vector<Tensor>& actual, double tolerance) {
  ASSERT_EQ(expected.size(), actual.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(expected[i].dtype(), actual[i].dtype()) << "output " << i;
    ASSERT_EQ(expected[i].dims(), actual[i].dims()) << "output " << i;
    const Tensor a = expected[i].ToFloat32();
    const Tensor b = actual[i].ToFloat32();
    double largest = 0, error = 0;
    for (int64_t j = 0; j < a.NumElements(); ++j) {
      ASSERT_TRUE(std::isfinite(b.Data<float>()[j])) << "output " << i << " element " << j;
      largest = std::max<double>(largest, std::abs(a.Data<float>()[j]));
      error = std::max<double>(error, std::abs(a.Data<float>()[j] - b.Data<float>()[j]));
    }
    EXPECT_LE(error, tolerance * largest) << "output " << i << ", largest magnitude " << largest;
  }
}

// Runs passes, checks the graph, and that it computes what it did before; returns the rewritten graph.
inline Graph RewriteAndCompare(const Graph& graph, const std::vector<Pass>& passes, const Feeds& feeds,
                               double tolerance = 1e-5, const PassOptions& options = {}) {
  Graph rewritten = graph.Clone();
  PassOptions audited = options;
  audited.audit = true;
  const Status status = RunPasses(rewritten, passes, audited);
  EXPECT_TRUE(status.ok()) << status.message() << "\n" << rewritten.ToString();
  if (!status.ok()) return rewritten;
  rewritten.Compact();
  EXPECT_EQ(graph.outputs.size(), rewritten.outputs.size());
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    EXPECT_EQ(graph.value(graph.outputs[i]).name, rewritten.value(rewritten.outputs[i]).name);
  }
  ExpectClose(Evaluate(graph, feeds), Evaluate(rewritten, feeds), tolerance);
  return rewritten;
}

// How many nodes of each operator; tamis operators as "tamis.Linear".
inline std::map<std::string, int> CountOps(const Graph& graph) {
  std::map<std::string, int> counts;
  for (NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    ++counts[(node.domain.empty() ? "" : node.domain + ".") + node.op];
  }
  return counts;
}

}  // namespace tamis
