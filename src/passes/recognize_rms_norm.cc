// recognize_rms_norm: x / sqrt(mean(x * x) + epsilon) over the last axis, times a constant of its length on either
// side, becomes ONNX RMSNormalization. The root may be a Reciprocal, a quotient of 1 or a power; the square a Pow or a
// Mul.
#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/norm_parts.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

std::optional<RootQuotient> Normalised(const Graph& graph, const Node& node) {
  for (const RootQuotient& quotient : MatchRootQuotients(graph, node)) {
    const ValueId square = LastAxisMeanOf(graph, quotient.root.value);
    if (square != kNoValue && SquaredValue(graph, square) == quotient.dividend) return quotient;
  }
  return std::nullopt;
}

}  // namespace

Status RecognizeRmsNorm(Graph& graph, const PassOptions& options) {
  Rewriter rewriter(graph, options);
  for (NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    if (node.removed || (!node.Is("Div") && !node.Is("Mul"))) continue;
    const auto found = Normalised(graph, node);
    if (!found) continue;
    const ValueId x = found->dividend, output = node.outputs[0];
    const auto missed = [&](std::string_view reason) { options.Missed(graph, output, "RMSNormalization", reason); };
    const auto channels = ShapeOf(graph, x)->back().Constant();
    if (DTypeOf(graph, x) != DType::kFloat32) {
      missed("it isn't float32");
      continue;
    }
    if (!channels || *channels < 1) {
      missed("the length of the last axis isn't fixed");
      continue;
    }
    if (!rewriter.ConeIsPrivate(id, {x})) {
      missed("another node reads a part of it");
      continue;
    }
    ValueId scale = kNoValue;
    const NodeId scaled = AffineReader(rewriter, output, "Mul", *channels, &scale);
    const NodeId last = scaled == kNoNode ? id : scaled;
    const ValueId result = graph.node(last).outputs[0];
    if (scaled == kNoNode) scale = rewriter.AddConstant(graph.value(output).name + "_scale", Ones(*channels));
    options.Matched(graph, result, "RMSNormalization");
    rewriter.Replace(last, MakeNode("RMSNormalization", "", {x, scale}, {result},
                                    {{"axis", int64_t{-1}}, {"epsilon", static_cast<float>(found->root.epsilon)}}));
  }
  return {};
}

}  // namespace tamis
