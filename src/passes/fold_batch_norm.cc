// fold_batch_norm: a BatchNormalization in inference form behind a Conv, ConvTranspose, Gemm or MatMul becomes part of
// that node's weight and bias: w' = w * gamma / sqrt(var + eps), b' = (b - mean) * gamma / sqrt(var + eps) + beta.
// Reshapes and transposes may stand between them, as where tokens are flattened into a batch for BatchNorm1d, as long
// as the product's channels are still one axis, the one that is normalised.
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

}  // namespace

Status FoldBatchNorm(Graph& graph, const PassOptions& options) {
  Rewriter rewriter(graph, options);
  for (NodeId id : graph.NodeIds()) {
    if (graph.node(id).removed || !graph.node(id).Is("BatchNormalization")) continue;
    const ValueId input = graph.node(id).input(0), output = graph.node(id).outputs[0];
    const auto source = FindSource(rewriter, input);
    if (!source || !IsInferenceForm(graph, graph.node(id), source->producer.channels)) continue;
    const ScalableProducer& producer = source->producer;
    const auto parameter = [&](size_t i) { return graph.ConstantInput(graph.node(id), i)->Span<float>(); };
    const double epsilon = graph.node(id).Float("epsilon", 1e-5f);
    std::vector<double> scale, shift;
    for (size_t c = 0; c < static_cast<size_t>(producer.channels); ++c) {
      scale.push_back(parameter(1)[c] / std::sqrt(parameter(4)[c] + epsilon));
      shift.push_back(parameter(2)[c] - parameter(3)[c] * scale.back());
    }
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
