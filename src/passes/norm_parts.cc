#include "src/passes/norm_parts.h"

#include <algorithm>

#include "src/passes/match.h"

namespace tamis {

ValueId LastAxisMeanOf(const Graph& graph, ValueId mean) {
  const Node* node = Producer(graph, mean, "ReduceMean");
  if (node == nullptr || node->Int("keepdims", 1) != 1 || !ReducesLastAxis(graph, *node)) return kNoValue;
  return node->input(0);
}

ValueId SquaredValue(const Graph& graph, ValueId square) {
  if (const Node* pow = Producer(graph, square, "Pow")) {
    return IsScalar(graph, pow->input(1), 2, 0) ? pow->input(0) : kNoValue;
  }
  const Node* mul = Producer(graph, square, "Mul");
  return mul != nullptr && mul->input(0) == mul->input(1) ? mul->input(0) : kNoValue;
}

namespace {

std::optional<ShiftedRoot> Shifted(const Graph& graph, ValueId sum) {
  const Node* add = Producer(graph, sum, "Add");
  const auto shifted = add ? MatchScalarOperand(graph, *add) : std::nullopt;
  if (!shifted || shifted->constant < 0) return std::nullopt;
  return ShiftedRoot{shifted->value, shifted->constant};
}

}  // namespace

std::optional<ShiftedRoot> MatchRoot(const Graph& graph, ValueId root) {
  if (const Node* sqrt = Producer(graph, root, "Sqrt")) return Shifted(graph, sqrt->input(0));
  const Node* pow = Producer(graph, root, "Pow");
  return pow && IsScalar(graph, pow->input(1), 0.5, 0) ? Shifted(graph, pow->input(0)) : std::nullopt;
}

std::optional<ShiftedRoot> MatchReciprocalRoot(const Graph& graph, ValueId root) {
  if (const Node* reciprocal = Producer(graph, root, "Reciprocal")) return MatchRoot(graph, reciprocal->input(0));
  if (const Node* div = Producer(graph, root, "Div")) {
    return IsScalar(graph, div->input(0), 1, 0) ? MatchRoot(graph, div->input(1)) : std::nullopt;
  }
  const Node* pow = Producer(graph, root, "Pow");
  return pow && IsScalar(graph, pow->input(1), -0.5, 0) ? Shifted(graph, pow->input(0)) : std::nullopt;
}

std::vector<RootQuotient> MatchRootQuotients(const Graph& graph, const Node& node) {
  std::vector<RootQuotient> quotients;
  if (node.Is("Div")) {
    if (const auto root = MatchRoot(graph, node.input(1))) quotients.push_back({node.input(0), *root});
  } else if (node.Is("Mul")) {
    for (size_t i : {size_t{0}, size_t{1}}) {
      if (const auto root = MatchReciprocalRoot(graph, node.input(1 - i))) quotients.push_back({node.input(i), *root});
    }
  }
  return quotients;
}

NodeId AffineReader(const Rewriter& rewriter, ValueId value, std::string_view op, int64_t channels,
                    ValueId* parameter) {
  if (!rewriter.SingleUse(value)) return kNoNode;
  const Graph& graph = rewriter.graph();
  const NodeId reader = rewriter.Users(value)[0];
  const Node& node = graph.node(reader);
  const auto other = node.Is(op) ? OtherOperand(node, value) : std::nullopt;
  if (!other || *other == kNoValue || !graph.value(*other).IsConstant()) return kNoNode;
  const Tensor& constant = *graph.value(*other).constant;
  if (constant.dtype() != DType::kFloat32 || constant.dims() != Dims{channels}) return kNoNode;
  *parameter = *other;
  return reader;
}

Tensor Ones(int64_t count) {
  Tensor ones(DType::kFloat32, {count});
  std::fill_n(ones.Data<float>(), count, 1.0f);
  return ones;
}

}  // namespace tamis
