// recognize_pooling_head: what sentence encoders end with.
//
//   MaskedMean    sum_s(x * m) / max(sum_s(m), epsilon), m a [B, S] mask cast, unsqueezed and perhaps expanded
//   L2Normalize   x / max(norm(x), epsilon) along the last axis; norm as ReduceL2 or a root of a sum of squares
#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

struct Clamped {
  ValueId value = kNoValue;
  double epsilon = 0;
};

// value and epsilon of max(value, epsilon), written as Clip or Max.
std::optional<Clamped> MatchClamp(const Graph& graph, ValueId id) {
  if (const Node* clip = Producer(graph, id, "Clip")) {
    const auto bounds = ClipBounds(graph, *clip);
    if (bounds && bounds->first > 0 && bounds->second > 3e38) return Clamped{clip->input(0), bounds->first};
    return std::nullopt;
  }
  const Node* max = Producer(graph, id, "Max");
  if (max == nullptr || max->inputs.size() != 2) return std::nullopt;
  for (size_t i : {size_t{0}, size_t{1}}) {
    const auto epsilon = ScalarConstant(graph, max->input(i));
    if (epsilon && *epsilon > 0 && SameShape(graph, max->input(1 - i), id)) return Clamped{max->input(1 - i), *epsilon};
  }
  return std::nullopt;
}

ValueId StripExpand(const Graph& graph, ValueId id) {
  const Node* expand = Producer(graph, id, "Expand");
  return expand != nullptr ? expand->input(0) : id;
}

// The operand of a ReduceSum over axis 1 of three dimensions, which it drops.
ValueId SummedOverTokens(const Graph& graph, ValueId id) {
  const Node* sum = Producer(graph, id, "ReduceSum");
  if (sum == nullptr || sum->Int("keepdims", 1) != 0 || RankOf(graph, sum->input(0)) != 3) return kNoValue;
  const auto axes = ReduceAxes(graph, *sum);
  return axes && *axes == std::vector<int64_t>{1} ? sum->input(0) : kNoValue;
}

// The [B, S] value whose elements `mask` [B, S, 1 or C] repeats along the last axis.
ValueId MaskRows(const Graph& graph, ValueId mask, const Dim& batch, const Dim& tokens) {
  for (int depth = 0; depth < 8; ++depth) {
    const Shape* shape = ShapeOf(graph, mask);
    if (shape == nullptr || shape->size() < 2 || !((*shape)[0] == batch) || !((*shape)[1] == tokens)) return kNoValue;
    if (shape->size() == 2) return mask;
    const NodeId producer = graph.value(mask).producer;
    if (shape->size() != 3 || producer == kNoNode) return kNoValue;
    const Node& node = graph.node(producer);
    const bool widens = node.Is("Cast") && IsFloat(DTypeOf(graph, mask));
    const bool reshapes = (node.Is("Unsqueeze") || node.Is("Reshape")) && (*shape)[2] == Dim(1);
    if (!widens && !reshapes && !node.Is("Expand")) return kNoValue;
    mask = node.input(0);
  }
  return kNoValue;
}

std::optional<Node> MatchMaskedMean(const Graph& graph, const Node& div) {
  const ValueId product = SummedOverTokens(graph, div.input(0));
  const auto clamp = MatchClamp(graph, StripExpand(graph, div.input(1)));
  const ValueId count = clamp ? SummedOverTokens(graph, clamp->value) : kNoValue;
  const Node* mul = product == kNoValue ? nullptr : Producer(graph, product, "Mul");
  if (mul == nullptr || count == kNoValue) return std::nullopt;
  for (size_t i : {size_t{0}, size_t{1}}) {
    const ValueId x = mul->input(i);
    if (!SameShape(graph, x, product) || DTypeOf(graph, x) != DType::kFloat32) continue;
    const Shape& shape = *ShapeOf(graph, x);
    const ValueId mask = MaskRows(graph, mul->input(1 - i), shape[0], shape[1]);
    if (mask == kNoValue || MaskRows(graph, count, shape[0], shape[1]) != mask) continue;
    return MakeNode("MaskedMean", kTamisDomain, {x, mask}, div.outputs,
                    {{"epsilon", static_cast<float>(clamp->epsilon)}});
  }
  return std::nullopt;
}

// x of x * x, x ^ 2 or |x| ^ 2.
ValueId SquareOf(const Graph& graph, ValueId square) {
  ValueId base = kNoValue;
  if (const Node* pow = Producer(graph, square, "Pow")) {
    if (IsScalar(graph, pow->input(1), 2, 0)) base = pow->input(0);
  } else if (const Node* mul = Producer(graph, square, "Mul"); mul != nullptr && mul->input(0) == mul->input(1)) {
    base = mul->input(0);
  }
  const Node* abs = base == kNoValue ? nullptr : Producer(graph, base, "Abs");
  return abs != nullptr ? abs->input(0) : base;
}

// x whose norms along the last axis these are, one for each row.
ValueId NormOf(const Graph& graph, ValueId norm) {
  const Node* unsqueeze = Producer(graph, norm, "Unsqueeze");
  const Shape* shape = ShapeOf(graph, norm);
  if (shape == nullptr || shape->empty() || !(shape->back() == Dim(1))) return kNoValue;
  const Node* l2 = Producer(graph, unsqueeze ? unsqueeze->input(0) : norm, "ReduceL2");
  ValueId x = kNoValue;
  const Node* reduce = l2;
  if (l2 != nullptr) {
    x = l2->input(0);
  } else {
    const ValueId inner = unsqueeze ? unsqueeze->input(0) : norm;
    const Node* root = Producer(graph, inner, "Sqrt");
    if (const Node* pow = Producer(graph, inner, "Pow"); pow && IsScalar(graph, pow->input(1), 0.5, 0)) root = pow;
    reduce = root == nullptr ? nullptr : Producer(graph, root->input(0), "ReduceSum");
    const Node* sum_square = root == nullptr ? nullptr : Producer(graph, root->input(0), "ReduceSumSquare");
    if (reduce != nullptr) x = SquareOf(graph, reduce->input(0));
    if (sum_square != nullptr) reduce = sum_square, x = sum_square->input(0);
  }
  if (x == kNoValue || !ReducesLastAxis(graph, *reduce)) return kNoValue;
  const bool keeps = reduce->Int("keepdims", 1) == 1;
  return keeps == (unsqueeze == nullptr) ? x : kNoValue;
}

std::optional<Node> MatchL2Normalize(const Graph& graph, const Node& div) {
  const ValueId x = div.input(0);
  const auto clamp = MatchClamp(graph, StripExpand(graph, div.input(1)));
  if (!clamp || NormOf(graph, clamp->value) != x || !SameShape(graph, x, div.outputs[0])) return std::nullopt;
  if (RankOf(graph, clamp->value) != RankOf(graph, x) || DTypeOf(graph, x) != DType::kFloat32) return std::nullopt;
  return MakeNode("L2Normalize", kTamisDomain, {x}, div.outputs, {{"epsilon", static_cast<float>(clamp->epsilon)}});
}

}  // namespace

Status RecognizePoolingHead(Graph& graph, const PassOptions& options) {
  Rewriter rewriter(graph, options);
  for (NodeId id : graph.NodeIds()) {
    if (graph.node(id).removed || !graph.node(id).Is("Div")) continue;
    auto node = MatchMaskedMean(graph, graph.node(id));
    if (!node) node = MatchL2Normalize(graph, graph.node(id));
    if (!node) continue;
    if (!rewriter.ConeIsPrivate(id, node->inputs)) {
      options.Missed(graph, node->outputs[0], node->op, "another node reads a part of it");
      continue;
    }
    options.Matched(graph, node->outputs[0], node->op);
    rewriter.Replace(id, std::move(*node));
  }
  return {};
}

}  // namespace tamis
