// fold_batch_norm: a BatchNormalization in inference form behind a Conv, ConvTranspose, Gemm or MatMul becomes part of
// that node's weight and bias: w' = w * gamma / sqrt(var + eps), b' = (b - mean) * gamma / sqrt(var + eps) + beta.
#include <cmath>

#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"
#include "src/passes/scale_weights.h"

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

}  // namespace

Status FoldBatchNorm(Graph& graph, const PassOptions&) {
  Rewriter rewriter(graph);
  for (NodeId id : graph.NodeIds()) {
    if (graph.node(id).removed || !graph.node(id).Is("BatchNormalization")) continue;
    const Node& node = graph.node(id);
    const ValueId input = node.input(0);
    const auto producer = FindScalableProducer(rewriter, input);
    if (!producer || producer->channel_axis != 1 || !IsInferenceForm(graph, node, producer->channels)) continue;
    const auto parameter = [&](size_t i) { return graph.ConstantInput(node, i)->Span<float>(); };
    const double epsilon = node.Float("epsilon", 1e-5f);
    std::vector<double> scale, shift;
    for (size_t c = 0; c < static_cast<size_t>(producer->channels); ++c) {
      scale.push_back(parameter(1)[c] / std::sqrt(parameter(4)[c] + epsilon));
      shift.push_back(parameter(2)[c] - parameter(3)[c] * scale.back());
    }
    const ValueId output = node.outputs[0];
    if (producer->takes_shift) {
      ScaleProducer(rewriter, *producer, scale, shift);
      rewriter.ReplaceUses(output, input);
      continue;
    }
    Tensor bias(DType::kFloat32, {producer->channels});
    for (size_t c = 0; c < shift.size(); ++c) bias.Data<float>()[c] = static_cast<float>(shift[c]);
    ScaleProducer(rewriter, *producer, scale, std::vector<double>(scale.size(), 0.0));
    const std::string weight_name = graph.value(graph.node(producer->node).input(1)).name;
    const ValueId bias_id = rewriter.AddConstant(weight_name + "_bias", bias);
    rewriter.Replace(id, MakeNode("Add", "", {input, bias_id}, {output}));
  }
  graph.Compact();
  return {};
}

}  // namespace tamis
