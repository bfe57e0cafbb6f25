#include "src/passes/strided_view.h"

#include <algorithm>

#include "src/passes/match.h"

namespace tamis {
namespace {

// Beyond so many elements a constant is no table of places that an exporter wrote.
constexpr int64_t kMostPlaces = int64_t{1} << 20;

std::optional<LinearPlaces> OfConstant(const Tensor& tensor) {
  if (!IsInteger(tensor.dtype()) || tensor.NumElements() < 1 || tensor.NumElements() > kMostPlaces) return std::nullopt;
  const std::vector<int64_t> values = tensor.ToInt64s();
  const Dims& dims = tensor.dims();
  LinearPlaces places{values[0], std::vector<int64_t>(dims.size(), 0)};
  int64_t stride = 1;  // in elements, of the axis
  for (size_t i = dims.size(); i-- > 0; stride *= dims[i]) {
    if (dims[i] > 1) places.steps[i] = values[static_cast<size_t>(stride)] - values[0];
  }
  for (int64_t flat = 0; flat < tensor.NumElements(); ++flat) {
    int64_t expected = places.offset, rest = flat;
    for (size_t i = dims.size(); i-- > 0; rest /= dims[i]) expected += rest % dims[i] * places.steps[i];
    if (values[static_cast<size_t>(flat)] != expected) return std::nullopt;
  }
  return places;
}

// With axes of one element in front, up to this rank.
LinearPlaces Widened(LinearPlaces places, size_t rank) {
  places.steps.insert(places.steps.begin(), rank - std::min(rank, places.steps.size()), 0);
  return places;
}

std::optional<LinearPlaces> OfUnsqueeze(const Graph& graph, const Node& node) {
  auto places = MatchLinearPlaces(graph, node.inputs[0]);
  auto axes = node.inputs.size() > 1 ? KnownInts(graph, node.inputs[1]) : node.Ints("axes");
  if (!places || !axes) return std::nullopt;
  const auto rank = static_cast<int64_t>(places->steps.size() + axes->size());
  for (int64_t& axis : *axes) axis += axis < 0 ? rank : 0;
  std::sort(axes->begin(), axes->end());
  for (const int64_t axis : *axes) {
    if (axis < 0 || axis > static_cast<int64_t>(places->steps.size())) return std::nullopt;
    places->steps.insert(places->steps.begin() + axis, 0);
  }
  return places;
}

}  // namespace

std::optional<LinearPlaces> MatchLinearPlaces(const Graph& graph, ValueId value) {
  if (value == kNoValue) return std::nullopt;
  if (graph.value(value).IsConstant()) return OfConstant(*graph.value(value).constant);
  const NodeId producer = graph.value(value).producer;
  if (producer == kNoNode || graph.node(producer).regions.size() > 0) return std::nullopt;
  const Node& node = graph.node(producer);
  if (node.Is("Unsqueeze")) return OfUnsqueeze(graph, node);
  if (node.Is("Range")) {
    const auto start = ScalarConstant(graph, node.inputs[0]), step = ScalarConstant(graph, node.inputs[2]);
    if (!start || !step || !IsInteger(DTypeOf(graph, value))) return std::nullopt;
    return LinearPlaces{static_cast<int64_t>(*start), {static_cast<int64_t>(*step)}};
  }
  const bool sum = node.Is("Add");
  if (!sum && !node.Is("Mul")) return std::nullopt;
  auto a = MatchLinearPlaces(graph, node.inputs[0]), b = MatchLinearPlaces(graph, node.inputs[1]);
  if (!a || !b) return std::nullopt;
  const size_t rank = std::max(a->steps.size(), b->steps.size());
  const LinearPlaces x = Widened(*std::move(a), rank), y = Widened(*std::move(b), rank);
  LinearPlaces result{sum ? x.offset + y.offset : x.offset * y.offset, {}};
  const auto is_number = [](const LinearPlaces& places) {
    return std::all_of(places.steps.begin(), places.steps.end(), [](int64_t step) { return step == 0; });
  };
  if (!sum && !is_number(x) && !is_number(y)) return std::nullopt;
  for (size_t i = 0; i < rank; ++i) {
    result.steps.push_back(sum ? x.steps[i] + y.steps[i] : x.steps[i] * y.offset + y.steps[i] * x.offset);
  }
  return result;
}

std::optional<ValueId> ViewedInOrder(const Graph& graph, const Node& node) {
  if (!node.Is("Gather") || RankOf(graph, node.inputs[0]) != 1) return std::nullopt;
  const Shape *flat = ShapeOf(graph, node.inputs[0]), *out = ShapeOf(graph, node.outputs[0]);
  if (flat == nullptr || out == nullptr || out->empty()) return std::nullopt;
  Dim elements(1);
  for (const Dim& dim : *out) elements = elements * dim;
  if (!(elements == (*flat)[0])) return std::nullopt;
  const auto places = MatchLinearPlaces(graph, node.inputs[1]);
  if (!places || places->offset != 0 || places->steps.size() != out->size()) return std::nullopt;
  Dim behind(1);
  for (size_t i = out->size(); i-- > 0;) {
    if (!((*out)[i] == Dim(1)) && !(behind == Dim(places->steps[i]))) return std::nullopt;
    behind = behind * (*out)[i];
  }
  const Node* reshape = Producer(graph, node.inputs[0], "Reshape");
  return reshape == nullptr ? node.inputs[0] : reshape->inputs[0];
}

}  // namespace tamis
