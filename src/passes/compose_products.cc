// compose_products: a product or pointwise convolution of a product that nothing else reads is one product, where that
// one has fewer multiplications than both: a projection in front of the layer that mixes channels, without an
// activation between. Bottlenecks, narrower in the middle, stay two.
//
// Weights that somebody has pruned stay apart: a product would fill their zeros. The layers are then others than those
// of the file: PassOptions::regroup_layers.
#include <algorithm>

#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

// y = weight * x + bias along the last axis.
struct Matrix {
  ValueId x = kNoValue;
  int64_t inputs = 0, outputs = 0;
  const float* weight = nullptr;
  const float* bias = nullptr;  // none: nullptr
};

std::optional<Matrix> ReadMatrix(const Graph& graph, const Node& node) {
  const bool linear = node.IsTamis("Linear") && node.input(3) == kNoValue && node.String("activation", "").empty();
  const Tensor* weight = linear || IsPlainPointwise(graph, node) ? graph.ConstantInput(node, 1) : nullptr;
  if (weight == nullptr || weight->dtype() != DType::kFloat32 || weight->rank() < 2 ||
      DTypeOf(graph, node.input(0)) != DType::kFloat32) {
    return std::nullopt;
  }
  const auto values = weight->Span<float>();
  if (std::count(values.begin(), values.end(), 0.0f) >= static_cast<int64_t>(values.size()) / 4) return std::nullopt;
  Matrix matrix{node.input(0), weight->dim(-1), weight->dim(0), weight->Data<float>(), nullptr};
  if (node.input(2) != kNoValue) {
    const Tensor* bias = graph.ConstantInput(node, 2);
    if (bias == nullptr || bias->dtype() != DType::kFloat32 || bias->NumElements() != matrix.outputs) {
      return std::nullopt;
    }
    matrix.bias = bias->Data<float>();
  }
  return matrix;
}

// The product that makes `value`, and the Reshapes between, first to last, which leave the last axis alone.
NodeId ProducerOf(const Rewriter& rewriter, ValueId value, std::vector<ValueId>* reshaped) {
  const Graph& graph = rewriter.graph();
  while (rewriter.SingleUse(value)) {
    const NodeId id = graph.value(value).producer;
    if (id == kNoNode || !graph.node(id).Is("Reshape")) return id;
    const ValueId from = graph.node(id).input(0);
    const Shape *shape = ShapeOf(graph, from), *to = ShapeOf(graph, value);
    if (shape == nullptr || to == nullptr || shape->empty() || to->empty() || shape->back() != to->back()) break;
    reshaped->insert(reshaped->begin(), value);
    value = from;
  }
  return kNoNode;
}

// second * first, and what second makes of first's bias.
std::pair<Tensor, Tensor> Composed(const Matrix& first, const Matrix& second) {
  Tensor weight(DType::kFloat32, {second.outputs, first.inputs}), bias(DType::kFloat32, {second.outputs});
  std::vector<double> row(static_cast<size_t>(first.inputs));
  for (int64_t o = 0; o < second.outputs; ++o) {
    std::fill(row.begin(), row.end(), 0.0);
    double shift = second.bias == nullptr ? 0 : static_cast<double>(second.bias[o]);
    for (int64_t m = 0; m < first.outputs; ++m) {
      const double factor = second.weight[o * second.inputs + m];
      if (first.bias != nullptr) shift += factor * static_cast<double>(first.bias[m]);
      const float* from = first.weight + m * first.inputs;
      for (size_t i = 0; i < row.size(); ++i) row[i] += factor * static_cast<double>(from[i]);
    }
    std::transform(row.begin(), row.end(), weight.Data<float>() + o * first.inputs,
                   [](double sum) { return static_cast<float>(sum); });
    bias.Data<float>()[o] = static_cast<float>(shift);
  }
  return {std::move(weight), std::move(bias)};
}

void Compose(Rewriter& rewriter, NodeId id, const PassOptions& options) {
  constexpr double kMostWork = 1 << 30;  // multiplications at compile time
  Graph& graph = rewriter.graph();
  const auto second = ReadMatrix(graph, graph.node(id));
  if (!second) return;
  std::vector<ValueId> reshaped;
  const NodeId before = ProducerOf(rewriter, second->x, &reshaped);
  const auto first = before == kNoNode ? std::nullopt : ReadMatrix(graph, graph.node(before));
  if (!first || first->outputs != second->inputs) return;
  if (first->inputs * second->outputs >= first->outputs * (first->inputs + second->outputs)) return;
  const ValueId output = graph.node(id).outputs[0];
  if (static_cast<double>(first->inputs * first->outputs) * static_cast<double>(second->outputs) > kMostWork) {
    return options.Missed(graph, output, "two products in one", "the weights are too large to multiply here");
  }
  std::vector<Shape> shapes = {*ShapeOf(graph, first->x)};
  std::vector<std::vector<int64_t>> targets;
  for (ValueId value : reshaped) {
    Shape shape = *ShapeOf(graph, value);
    shape.back() = Dim(first->inputs);
    const auto target = ReshapeTarget(shapes.back(), shape);
    if (!target) return;
    targets.push_back(*target);
    shapes.push_back(std::move(shape));
  }
  options.Matched(graph, output, "two products in one");
  const Node node = MakeNode(graph.node(id).op, kTamisDomain, graph.node(id).inputs, {output},
                             graph.node(id).attributes, graph.node(id).name);
  const Tensor& old = *graph.value(node.inputs[1]).constant;
  Dims dims(old.dims().begin(), old.dims().end());
  dims.back() = first->inputs;
  const bool biased = first->bias != nullptr || second->bias != nullptr;
  ValueId x = first->x;
  const auto [weight, bias] = Composed(*first, *second);
  const std::string name = graph.value(output).name;
  for (size_t i = 0; i < targets.size(); ++i) {
    const ValueId target = rewriter.AddConstant(name + "_shape", Tensor::Int64s(targets[i]));
    x = rewriter.Append("Reshape", "", {x, target}, {}, name + "_reshaped",
                        Type::Tensor(DType::kFloat32, shapes[i + 1]));
  }
  std::vector<ValueId> inputs = {x, rewriter.AddConstant(name + "_weight", weight.Reshaped(dims))};
  if (biased) inputs.push_back(rewriter.AddConstant(name + "_bias", bias));
  rewriter.Replace(id, MakeNode(node.op, kTamisDomain, std::move(inputs), {output}, node.attributes, node.name));
}

}  // namespace

Status ComposeProducts(Graph& graph, const PassOptions& options) {
  if (!options.regroup_layers) return {};
  Rewriter rewriter(graph, options);
  for (NodeId id : graph.NodeIds()) {
    if (!graph.node(id).removed && graph.node(id).domain == kTamisDomain) Compose(rewriter, id, options);
  }
  return {};
}

}  // namespace tamis
