// recognize_layer_norm: from its parts, over the last axis,
//
//   d = x - mean(x),  v = mean(d * d),  d / sqrt(v + epsilon) [* gamma [+ beta]]
//
// becomes ONNX LayerNormalization. d may be computed twice (for the square and for the quotient) and squared by Pow
// or Mul; mean(x * x) - mean(x)^2 is not accepted, it rounds differently. The quotient may also be a product with
// Reciprocal(Sqrt) or Pow(-0.5). A later Mul and Add by constants of the axis' length join an existing
// LayerNormalization that has no affine part.
#include <algorithm>

#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/norm_parts.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

// x of x - mean(x).
ValueId DeviationOf(const Graph& graph, ValueId deviation) {
  const Node* sub = Producer(graph, deviation, "Sub");
  if (sub == nullptr) return kNoValue;
  return LastAxisMeanOf(graph, sub->input(1)) == sub->input(0) ? sub->input(0) : kNoValue;
}

struct Variance {
  ValueId x = kNoValue;
  double epsilon = 0;
};

// x and epsilon where `node` is the normalised quotient.
std::optional<Variance> Normalised(const Graph& graph, const Node& node) {
  for (const RootQuotient& quotient : MatchRootQuotients(graph, node)) {
    const ValueId square = LastAxisMeanOf(graph, quotient.root.value);
    const ValueId deviation = square == kNoValue ? kNoValue : SquaredValue(graph, square);
    const ValueId x = deviation == kNoValue ? kNoValue : DeviationOf(graph, deviation);
    if (x != kNoValue && DeviationOf(graph, quotient.dividend) == x) return Variance{x, quotient.root.epsilon};
  }
  return std::nullopt;
}

// Takes a following Mul and Add into a LayerNormalization over the last axis that has neither.
void JoinAffine(Rewriter& rewriter, NodeId id) {
  Graph& graph = rewriter.graph();
  const Node& node = graph.node(id);
  const int64_t rank = RankOf(graph, node.input(0));
  const int64_t axis = node.Int("axis", -1);
  if (rank < 1 || (axis != -1 && axis != rank - 1) || node.input(2) != kNoValue || node.outputs.size() != 1) return;
  const auto channels = ShapeOf(graph, node.input(0))->back().Constant();
  if (!channels || *channels < 1) return;
  const Tensor* scale = graph.ConstantInput(node, 1);
  const bool ones =
      scale != nullptr && scale->dtype() == DType::kFloat32 &&
      std::all_of(scale->Span<float>().begin(), scale->Span<float>().end(), [](float s) { return s == 1; });
  NodeId last = id;
  ValueId gamma = node.input(1), beta = kNoValue;
  if (ones) {
    const NodeId mul = AffineReader(rewriter, node.outputs[0], "Mul", *channels, &gamma);
    if (mul != kNoNode) last = mul;
  }
  const NodeId add = AffineReader(rewriter, graph.node(last).outputs[0], "Add", *channels, &beta);
  if (add != kNoNode) last = add;
  if (last == id) return;
  Node joined = MakeNode("LayerNormalization", "", {node.input(0), gamma}, graph.node(last).outputs, node.attributes);
  if (beta != kNoValue) joined.inputs.push_back(beta);
  rewriter.Replace(last, std::move(joined));
}

}  // namespace

Status RecognizeLayerNorm(Graph& graph, const PassOptions& options) {
  Rewriter rewriter(graph, options);
  for (NodeId id : graph.NodeIds()) {
    if (graph.node(id).removed) continue;
    if (graph.node(id).Is("Div") || graph.node(id).Is("Mul")) {
      const Node& node = graph.node(id);
      const auto variance = Normalised(graph, node);
      if (!variance) continue;
      const auto channels = ShapeOf(graph, variance->x)->back().Constant();
      const bool f32 = DTypeOf(graph, variance->x) == DType::kFloat32;
      if (!f32 || !channels || *channels < 1 || !rewriter.ConeIsPrivate(id, {variance->x})) {
        options.Missed(graph, node.outputs[0], "LayerNormalization",
                       !f32                         ? "it isn't float32"
                       : !channels || *channels < 1 ? "the length of the last axis isn't fixed"
                                                    : "another node reads a part of it");
        continue;
      }
      options.Matched(graph, node.outputs[0], "LayerNormalization");
      const ValueId output = node.outputs[0];
      const ValueId scale = rewriter.AddConstant(graph.value(output).name + "_scale", Ones(*channels));
      rewriter.Replace(id, MakeNode("LayerNormalization", "", {variance->x, scale}, {output},
                                    {{"axis", int64_t{-1}}, {"epsilon", static_cast<float>(variance->epsilon)}}));
    }
    if (graph.node(id).Is("LayerNormalization")) JoinAffine(rewriter, id);
  }
  return {};
}

}  // namespace tamis
