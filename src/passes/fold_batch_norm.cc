// fold_batch_norm: a BatchNormalization in inference form behind a Conv, ConvTranspose, Gemm or MatMul becomes part of
// that node's weight and bias: w' = w * gamma / sqrt(var + eps), b' = (b - mean) * gamma / sqrt(var + eps) + beta.
// Reshapes and transposes may stand between them, as where tokens are flattened into a batch for BatchNorm1d, as long
// as the product's channels are still one axis, the one that is normalised; and a Concat of several nodes' channels,
// each of which takes its part.
#include <cmath>

#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"
#include "src/passes/scale_weights.h"
#include "src/passes/views.h"

namespace tamis {
namespace {

bool IsInferenceForm(const Graph& graph, const Node& node, int64_t channels) {
  if (!node.Is("BatchNormalization") || node.Int("training_mode", 0) != 0) return false;
  for (size_t i = 1; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != kNoValue) return false;
  }
  for (size_t i = 1; i < 5; ++i) {
    const Tensor* parameter = graph.ConstantInput(node, i);
    if (parameter == nullptr || parameter->dtype() != DType::kFloat32 || parameter->dims() != Dims{channels}) {
      return false;
    }
  }
  return true;
}

// What the norm reads is the producer's result, `value`, or that by way of views that nobody else reads; the last of
// them is the first behind the producer.
struct NormSource {
  ValueId value = kNoValue;
  std::vector<NodeId> views;
  ScalableProducer producer;
};

std::optional<NormSource> FindSource(const Rewriter& rewriter, ValueId input) {
  const Graph& graph = rewriter.graph();
  NormSource source{input, {}, {}};
  if (const auto producer = FindScalableProducer(rewriter, input); producer && producer->channel_axis == 1) {
    source.producer = *producer;
    return source;
  }
  const auto view = TraceView(graph, input, {});
  if (!view || view->depth == 0 || view->axes.size() < 2 || !view->repeated.empty() || !view->selected.empty()) {
    return std::nullopt;
  }
  while (source.value != view->source) {
    if (!rewriter.SingleUse(source.value)) return std::nullopt;
    source.views.push_back(graph.value(source.value).producer);
    source.value = graph.node(source.views.back()).input(0);
  }
  const auto producer = FindScalableProducer(rewriter, source.value);
  if (!producer) return std::nullopt;
  const auto ids = [](const Axis& axis) { return FlatIds({axis}); };
  if (ids(view->axes[1]) != ids(view->source_axes[static_cast<size_t>(producer->channel_axis)])) return std::nullopt;
  source.producer = *producer;
  return source;
}

// y = scale * x + shift, a number a channel.
struct Affine {
  std::vector<double> scale, shift;
};

Affine AffineOf(const Graph& graph, const Node& norm, int64_t channels) {
  Affine affine;
  const auto parameter = [&](size_t i) { return graph.ConstantInput(norm, i)->Span<float>(); };
  const double epsilon = norm.Float("epsilon", 1e-5f);
  for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
    affine.scale.push_back(parameter(1)[c] / std::sqrt(parameter(4)[c] + epsilon));
    affine.shift.push_back(parameter(2)[c] - parameter(3)[c] * affine.scale.back());
  }
  return affine;
}

// Into all that a Concat puts side by side.
bool FoldIntoParts(Rewriter& rewriter, NodeId id) {
  Graph& graph = rewriter.graph();
  const ValueId input = graph.node(id).input(0);
  const Node* concat = rewriter.SingleUse(input) ? Producer(graph, input, "Concat") : nullptr;
  const int64_t rank = RankOf(graph, input);
  if (concat == nullptr || rank < 2) return false;
  if (const int64_t axis = concat->Int("axis", 0); axis != 1 && axis != 1 - rank) return false;
  std::vector<ScalableProducer> producers;
  int64_t channels = 0;
  for (ValueId part : concat->inputs) {
    const auto producer = FindScalableProducer(rewriter, part);
    if (!producer || producer->channel_axis != 1 || !producer->takes_shift) return false;
    producers.push_back(*producer);
    channels += producer->channels;
  }
  if (!IsInferenceForm(graph, graph.node(id), channels)) return false;
  const Affine affine = AffineOf(graph, graph.node(id), channels);
  size_t begin = 0;
  for (const ScalableProducer& producer : producers) {
    const auto count = static_cast<size_t>(producer.channels);
    ScaleProducer(rewriter, producer, std::span(affine.scale).subspan(begin, count),
                  std::span(affine.shift).subspan(begin, count));
    begin += count;
  }
  rewriter.ReplaceUses(graph.node(id).outputs[0], input);
  return true;
}

}  // namespace

Status FoldBatchNorm(Graph& graph, const PassOptions& options) {
  Rewriter rewriter(graph, options);
  for (NodeId id : graph.NodeIds()) {
    if (graph.node(id).removed || !graph.node(id).Is("BatchNormalization") || FoldIntoParts(rewriter, id)) continue;
    const ValueId input = graph.node(id).input(0), output = graph.node(id).outputs[0];
    const auto source = FindSource(rewriter, input);
    if (!source || !IsInferenceForm(graph, graph.node(id), source->producer.channels)) continue;
    const ScalableProducer& producer = source->producer;
    const auto [scale, shift] = AffineOf(graph, graph.node(id), producer.channels);
    if (producer.takes_shift) {
      ScaleProducer(rewriter, producer, scale, shift);
      rewriter.ReplaceUses(output, input);
      continue;
    }
    Tensor bias(DType::kFloat32, {producer.channels});
    for (size_t c = 0; c < shift.size(); ++c) bias.Data<float>()[c] = static_cast<float>(shift[c]);
    ScaleProducer(rewriter, producer, scale, std::vector<double>(scale.size(), 0.0));
    const std::string weight_name = graph.value(graph.node(producer.node).input(1)).name;
    const ValueId bias_id = rewriter.AddConstant(weight_name + "_bias", bias);
    if (source->views.empty()) {
      rewriter.Replace(id, MakeNode("Add", "", {input, bias_id}, {output}));
      continue;
    }
    // Where the product's own axes are: there the Add becomes its bias.
    const std::string name = graph.value(source->value).name + "_shifted";
    const Type type = graph.value(source->value).type;
    const ValueId sum = rewriter.Append("Add", "", {source->value, bias_id}, {}, name, type);
    rewriter.SetInput(source->views.back(), 0, sum);
    rewriter.ReplaceUses(output, input);
  }
  return {};
}

}  // namespace tamis
