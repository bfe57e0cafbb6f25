// fold_scale_shift: Mul, Div, Add and Sub by a constant per channel (or one number) behind a Conv or ConvTranspose
// become part of its weight and bias, where nobody else reads that weight.
#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"
#include "src/passes/scale_weights.h"

namespace tamis {
namespace {

// The constant operand as one number a channel; empty if it isn't of that form.
std::vector<double> PerChannel(const Graph& graph, ValueId constant, ValueId operand,
                               const ScalableProducer& producer) {
  if (DTypeOf(graph, constant) != DType::kFloat32 || !graph.value(constant).IsConstant()) return {};
  const auto count = static_cast<size_t>(producer.channels);
  const int64_t rank = RankOf(graph, operand);
  if (const auto scalar = ScalarConstant(graph, constant); scalar && RankOf(graph, constant) <= rank) {
    return std::vector<double>(count, *scalar);
  }
  if (!IsPerChannel(graph, constant, rank, producer.channel_axis, producer.channels)) return {};
  const auto values = graph.value(constant).constant->Span<float>();
  return {values.begin(), values.end()};
}

}  // namespace

Status FoldScaleShift(Graph& graph, const PassOptions& options) {
  Rewriter rewriter(graph, options);
  for (NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    if (node.removed || node.inputs.size() != 2) continue;
    const bool scales = node.Is("Mul") || node.Is("Div");
    if (!scales && !node.Is("Add") && !node.Is("Sub")) continue;
    const size_t data = graph.value(node.inputs[0]).IsConstant() ? 1 : 0;
    if (data == 1 && !node.Is("Mul") && !node.Is("Add")) continue;
    const ValueId operand = node.inputs[data];
    const auto producer = FindScalableProducer(rewriter, operand);
    if (!producer || producer->channel_axis != 1 || producer->weight_shared || !producer->takes_shift) continue;
    if (graph.node(producer->node).Is("Gemm")) continue;  // an Add behind it is a bias or a residual, fused later
    const std::vector<double> constant = PerChannel(graph, node.inputs[1 - data], operand, *producer);
    if (constant.empty()) continue;
    std::vector<double> scale(constant.size(), 1.0), shift(constant.size(), 0.0);
    for (size_t c = 0; c < constant.size(); ++c) {
      if (scales) {
        scale[c] = node.Is("Mul") ? constant[c] : 1 / constant[c];
      } else {
        shift[c] = node.Is("Add") ? constant[c] : -constant[c];
      }
    }
    const ValueId output = node.outputs[0];
    ScaleProducer(rewriter, *producer, scale, shift);
    rewriter.ReplaceUses(output, operand);
  }
  return {};
}

}  // namespace tamis
