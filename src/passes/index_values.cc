#include "src/passes/index_values.h"

#include <algorithm>
#include <cmath>

#include "src/passes/match.h"

namespace tamis {
namespace {

constexpr int kDeepest = 16;

Shape WithoutLeadingOnes(const Shape& shape) {
  const auto first = std::find_if(shape.begin(), shape.end(), [](const Dim& dim) { return !(dim == Dim(1)); });
  return {first, shape.end()};
}

// The one number of a tensor of one element, as far as it is known.
std::optional<Dim> OneNumber(const Graph& graph, ValueId value) {
  if (value == kNoValue) return std::nullopt;
  const Shape* shape = ShapeOf(graph, value);
  if (shape == nullptr || std::any_of(shape->begin(), shape->end(), [](const Dim& d) { return !(d == Dim(1)); })) {
    return std::nullopt;
  }
  const auto constant = ScalarConstant(graph, value);
  if (constant && *constant == std::floor(*constant) && std::abs(*constant) < 1e15) {
    return Dim(static_cast<int64_t>(*constant));
  }
  const auto& contents = graph.value(value).contents;
  return contents && contents->size() == 1 ? std::optional((*contents)[0]) : std::nullopt;
}

// 0, 1, 2, ... along the only axis of more than one element.
std::optional<IndexValue> OfConstant(const Tensor& tensor) {
  if (!IsInteger(tensor.dtype()) || tensor.NumElements() < 2) return std::nullopt;
  int64_t axis = 0;
  for (int64_t i = 0; i < tensor.rank(); ++i) {
    if (tensor.dim(i) == 1) continue;
    if (axis != 0) return std::nullopt;
    axis = tensor.rank() - i;
  }
  const auto values = tensor.ToInt64s();
  for (size_t i = 1; i < values.size(); ++i) {
    if (values[i] != values[i - 1] + 1) return std::nullopt;
  }
  return IndexValue{axis, Dim(values[0])};
}

std::optional<IndexValue> Of(const Graph& graph, ValueId value, int depth);

// Reshape, Squeeze and Unsqueeze: the axis is the only one of more than one element, before and after.
std::optional<IndexValue> OfView(const Graph& graph, const Node& node, int depth) {
  const auto inner = Of(graph, node.input(0), depth - 1);
  const Shape *from = ShapeOf(graph, node.input(0)), *to = ShapeOf(graph, node.outputs[0]);
  if (!inner || inner->axis == 0 || from == nullptr || to == nullptr) return inner;
  if (inner->axis > static_cast<int64_t>(from->size())) return std::nullopt;
  const Dim& length = (*from)[from->size() - static_cast<size_t>(inner->axis)];
  if (WithoutLeadingOnes(*from).size() > static_cast<size_t>(inner->axis)) return std::nullopt;
  int64_t axis = 0;
  for (size_t i = 0; i < to->size(); ++i) {
    if ((*to)[i] == Dim(1)) continue;
    if (axis != 0 || !((*to)[i] == length)) return std::nullopt;
    axis = static_cast<int64_t>(to->size() - i);
  }
  // An axis of one element has no place of its own: it is the index 0 wherever it is put.
  if (axis == 0) return length == Dim(1) ? std::optional(IndexValue{0, inner->offset}) : std::nullopt;
  return IndexValue{axis, inner->offset};
}

std::optional<IndexValue> OfSlice(const Graph& graph, const Node& node, int depth) {
  const auto inner = Of(graph, node.input(0), depth - 1);
  const int64_t rank = RankOf(graph, node.input(0));
  if (!inner || inner->axis == 0) return inner;
  const bool attributes = graph.Opset() < 10;
  const std::vector<int64_t> starts = node.Ints("starts");
  if (attributes && starts.size() != 1) return std::nullopt;  // else `axes`, if there are none, is the first one alone
  const auto axes = attributes ? std::optional(node.Ints("axes", {0})) : KnownInts(graph, node.input(3));
  if (!axes || axes->size() != 1 || rank < 1) return std::nullopt;
  if (node.input(4) != kNoValue && ScalarConstant(graph, node.input(4)) != 1.0) return std::nullopt;
  const int64_t axis = (*axes)[0] < 0 ? -(*axes)[0] : rank - (*axes)[0];
  if (axis != inner->axis) return inner;
  const auto start = attributes ? std::optional(Dim(starts[0])) : OneNumber(graph, node.input(1));
  if (!start || !start->NonNegative()) return std::nullopt;
  return IndexValue{inner->axis, inner->offset + *start};
}

std::optional<IndexValue> OfSum(const Graph& graph, const Node& node, int depth) {
  for (size_t i : {size_t{0}, size_t{1}}) {
    const auto number = OneNumber(graph, node.input(1 - i));
    if (!number || (i == 1 && node.Is("Sub"))) continue;
    const auto inner = Of(graph, node.input(i), depth - 1);
    if (inner) return IndexValue{inner->axis, node.Is("Add") ? inner->offset + *number : inner->offset - *number};
  }
  return std::nullopt;
}

// Indices into a value that is its own last index: what it gives is the last of each group of indices.
std::optional<IndexValue> OfGatherND(const Graph& graph, const Node& node, int depth) {
  if (node.Int("batch_dims", 0) != 0) return std::nullopt;
  const auto data = Of(graph, node.input(0), depth - 1);
  const int64_t rank = RankOf(graph, node.input(0)), groups = RankOf(graph, node.input(1));
  const Node* concat = Producer(graph, node.input(1), "Concat");
  if (!data || data->axis != 1 || concat == nullptr || static_cast<int64_t>(concat->inputs.size()) != rank) {
    return std::nullopt;
  }
  if (concat->Int("axis", 0) != -1 && concat->Int("axis", 0) != groups - 1) return std::nullopt;
  const ValueId last = concat->inputs.back();
  const Shape* shape = ShapeOf(graph, last);
  if (shape == nullptr || shape->empty() || !(shape->back() == Dim(1))) return std::nullopt;
  const auto index = Of(graph, last, depth - 1);
  if (!index || index->axis == 1) return std::nullopt;
  return IndexValue{std::max<int64_t>(index->axis - 1, 0), index->offset + data->offset};
}

std::optional<IndexValue> Of(const Graph& graph, ValueId value, int depth) {
  if (value == kNoValue || depth == 0) return std::nullopt;
  if (const auto number = OneNumber(graph, value)) return IndexValue{0, *number};
  if (graph.value(value).constant) return OfConstant(*graph.value(value).constant);
  if (graph.value(value).producer == kNoNode) return std::nullopt;
  const Node& node = graph.node(graph.value(value).producer);
  if (!node.domain.empty()) return std::nullopt;
  if (node.Is("Range")) {
    const auto start = OneNumber(graph, node.input(0));
    if (!start || ScalarConstant(graph, node.input(2)) != 1.0) return std::nullopt;
    return IndexValue{1, *start};
  }
  if (node.Is("CumSum")) {
    const auto axis = KnownInts(graph, node.input(1));
    const int64_t rank = RankOf(graph, value);
    if (!axis || axis->size() != 1 || rank < 1 || node.Int("reverse", 0) != 0) return std::nullopt;
    if (MatchUniform(graph, node.input(0)) != 1.0) return std::nullopt;
    return IndexValue{(*axis)[0] < 0 ? -(*axis)[0] : rank - (*axis)[0], Dim(1 - node.Int("exclusive", 0))};
  }
  if (node.Is("Slice")) return OfSlice(graph, node, depth);
  if (node.Is("GatherND")) return OfGatherND(graph, node, depth);
  if (node.Is("Add") || node.Is("Sub")) return OfSum(graph, node, depth);
  if (node.Is("Reshape") || node.Is("Squeeze") || node.Is("Unsqueeze")) {
    if (KeepsPlaces(graph, node)) return Of(graph, node.input(0), depth - 1);
    return OfView(graph, node, depth);
  }
  if (KeepsPlaces(graph, node)) return Of(graph, node.input(0), depth - 1);
  if (!node.Is("Tile")) return std::nullopt;
  // Repeats along other axes than its own.
  const auto inner = Of(graph, node.input(0), depth - 1);
  const Shape *from = ShapeOf(graph, node.input(0)), *to = ShapeOf(graph, value);
  if (!inner || from == nullptr || to == nullptr || from->size() != to->size()) return std::nullopt;
  if (inner->axis == 0) return inner;
  const size_t own = to->size() - static_cast<size_t>(inner->axis);
  return own < to->size() && (*from)[own] == (*to)[own] ? inner : std::nullopt;
}

}  // namespace

bool KeepsPlaces(const Graph& graph, const Node& node) {
  if (!node.domain.empty() || node.outputs.size() != 1) return false;
  if (node.Is("Identity")) return true;
  if (node.Is("Cast")) {
    const DType from = DTypeOf(graph, node.input(0)), to = DTypeOf(graph, node.outputs[0]);
    const auto exact = [](DType dtype) { return IsInteger(dtype) || dtype == DType::kBool || IsFloat(dtype); };
    return exact(from) && exact(to);
  }
  const Shape *from = ShapeOf(graph, node.input(0)), *to = ShapeOf(graph, node.outputs[0]);
  if (from == nullptr || to == nullptr) return false;
  if (node.Is("Expand")) return from->size() <= to->size() && AlwaysBroadcasts(*from, *to);
  if (!node.Is("Reshape") && !node.Is("Squeeze") && !node.Is("Unsqueeze")) return false;
  return WithoutLeadingOnes(*from) == WithoutLeadingOnes(*to);
}

std::optional<IndexValue> MatchIndex(const Graph& graph, ValueId value) {
  return Of(graph, value, kDeepest);
}

std::optional<double> MatchUniform(const Graph& graph, ValueId value) {
  for (int depth = 0; depth < kDeepest && value != kNoValue; ++depth) {
    if (graph.value(value).constant) {
      const Tensor& tensor = *graph.value(value).constant;
      if (tensor.NumElements() < 1 || tensor.NumElements() > (1 << 24)) return std::nullopt;
      if (tensor.dtype() == DType::kBool) {
        const auto* data = static_cast<const uint8_t*>(static_cast<const void*>(tensor.raw()));
        const bool same =
            std::all_of(data, data + tensor.NumElements(), [&](uint8_t x) { return (x != 0) == (data[0] != 0); });
        return same ? std::optional(data[0] != 0 ? 1.0 : 0.0) : std::nullopt;
      }
      if (!IsFloat(tensor.dtype())) {
        if (!IsInteger(tensor.dtype())) return std::nullopt;
        const auto values = tensor.ToInt64s();
        const bool same = std::all_of(values.begin(), values.end(), [&](int64_t x) { return x == values[0]; });
        return same ? std::optional(static_cast<double>(values[0])) : std::nullopt;
      }
      const Tensor floats = tensor.ToFloat32();
      const auto values = floats.Span<float>();
      const bool same = std::all_of(values.begin(), values.end(), [&](float x) { return x == values[0]; });
      return same ? std::optional(static_cast<double>(values[0])) : std::nullopt;
    }
    if (graph.value(value).producer == kNoNode) return std::nullopt;
    const Node& node = graph.node(graph.value(value).producer);
    if (node.Is("ConstantOfShape")) {
      const auto found = node.attributes.find("value");
      if (found == node.attributes.end()) return 0.0;
      const auto* tensor = std::get_if<Tensor>(&found->second);
      if (tensor == nullptr || tensor->NumElements() != 1) return std::nullopt;
      if (tensor->dtype() == DType::kBool)
        return *static_cast<const uint8_t*>(static_cast<const void*>(tensor->raw())) != 0;
      return IsInteger(tensor->dtype()) ? static_cast<double>(tensor->ToInt64s()[0])
                                        : static_cast<double>(*tensor->ToFloat32().Data<float>());
    }
    const bool same = node.Is("Expand") || node.Is("Tile") || node.Is("Reshape") || node.Is("Squeeze") ||
                      node.Is("Unsqueeze") || KeepsPlaces(graph, node);
    if (!same) return std::nullopt;
    value = node.input(0);
  }
  return std::nullopt;
}

}  // namespace tamis
