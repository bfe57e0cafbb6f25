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
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

// mean(value) over the last axis, kept as a dimension.
ValueId MeanOf(const Graph& graph, ValueId mean) {
  const Node* node = Producer(graph, mean, "ReduceMean");
  if (node == nullptr || node->Int("keepdims", 1) != 1 || !ReducesLastAxis(graph, *node)) return kNoValue;
  return node->input(0);
}

// x of x - mean(x).
ValueId DeviationOf(const Graph& graph, ValueId deviation) {
  const Node* sub = Producer(graph, deviation, "Sub");
  if (sub == nullptr) return kNoValue;
  return MeanOf(graph, sub->input(1)) == sub->input(0) ? sub->input(0) : kNoValue;
}

// d of d * d or d ^ 2.
ValueId SquareOf(const Graph& graph, ValueId square) {
  if (const Node* pow = Producer(graph, square, "Pow")) {
    return IsScalar(graph, pow->input(1), 2, 0) ? pow->input(0) : kNoValue;
  }
  const Node* mul = Producer(graph, square, "Mul");
  return mul != nullptr && mul->input(0) == mul->input(1) ? mul->input(0) : kNoValue;
}

struct Variance {
  ValueId x = kNoValue;
  double epsilon = 0;
};

// x and epsilon of mean((x - mean(x))^2) + epsilon.
std::optional<Variance> ShiftedVariance(const Graph& graph, ValueId value) {
  const Node* add = Producer(graph, value, "Add");
  const auto shifted = add ? MatchScalarOperand(graph, *add) : std::nullopt;
  if (!shifted || shifted->constant < 0) return std::nullopt;
  const ValueId square = MeanOf(graph, shifted->value);
  const ValueId deviation = square == kNoValue ? kNoValue : SquareOf(graph, square);
  const ValueId x = deviation == kNoValue ? kNoValue : DeviationOf(graph, deviation);
  if (x == kNoValue) return std::nullopt;
  return Variance{x, shifted->constant};
}

std::optional<Variance> Root(const Graph& graph, ValueId value) {
  if (const Node* sqrt = Producer(graph, value, "Sqrt")) return ShiftedVariance(graph, sqrt->input(0));
  const Node* pow = Producer(graph, value, "Pow");
  return pow && IsScalar(graph, pow->input(1), 0.5, 0) ? ShiftedVariance(graph, pow->input(0)) : std::nullopt;
}

std::optional<Variance> ReciprocalRoot(const Graph& graph, ValueId value) {
  if (const Node* reciprocal = Producer(graph, value, "Reciprocal")) return Root(graph, reciprocal->input(0));
  if (const Node* div = Producer(graph, value, "Div")) {
    return IsScalar(graph, div->input(0), 1, 0) ? Root(graph, div->input(1)) : std::nullopt;
  }
  const Node* pow = Producer(graph, value, "Pow");
  return pow && IsScalar(graph, pow->input(1), -0.5, 0) ? ShiftedVariance(graph, pow->input(0)) : std::nullopt;
}

// x and epsilon where `node` is the normalised quotient.
std::optional<Variance> Normalised(const Graph& graph, const Node& node) {
  std::optional<Variance> variance;
  ValueId deviation = kNoValue;
  if (node.Is("Div")) {
    deviation = node.input(0);
    variance = Root(graph, node.input(1));
  } else if (node.Is("Mul")) {
    for (size_t i : {size_t{0}, size_t{1}}) {
      if (variance) break;
      deviation = node.input(i);
      variance = ReciprocalRoot(graph, node.input(1 - i));
    }
  }
  return variance && DeviationOf(graph, deviation) == variance->x ? variance : std::nullopt;
}

bool IsAffineParameter(const Graph& graph, ValueId id, int64_t channels) {
  return id != kNoValue && graph.value(id).IsConstant() && graph.value(id).constant->dims() == Dims{channels};
}

// The only reader of `value` if it is `op` with a constant of [channels]; the constant goes to *parameter.
NodeId AffineReader(const Rewriter& rewriter, ValueId value, std::string_view op, int64_t channels,
                    ValueId* parameter) {
  if (!rewriter.SingleUse(value)) return kNoNode;
  const NodeId reader = rewriter.Users(value)[0];
  const Node& node = rewriter.graph().node(reader);
  const auto other = node.Is(op) ? OtherOperand(node, value) : std::nullopt;
  if (!other || !IsAffineParameter(rewriter.graph(), *other, channels)) return kNoNode;
  *parameter = *other;
  return reader;
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
  Rewriter rewriter(graph);
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
      Tensor ones(DType::kFloat32, {*channels});
      std::fill_n(ones.Data<float>(), *channels, 1.0f);
      const ValueId output = node.outputs[0];
      const ValueId scale = rewriter.AddConstant(graph.value(output).name + "_scale", ones);
      rewriter.Replace(id, MakeNode("LayerNormalization", "", {variance->x, scale}, {output},
                                    {{"axis", int64_t{-1}}, {"epsilon", static_cast<float>(variance->epsilon)}}));
    }
    if (graph.node(id).Is("LayerNormalization")) JoinAffine(rewriter, id);
  }
  graph.Compact();
  return {};
}

}  // namespace tamis
