#include "src/passes/match.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace tamis {

const Node* Producer(const Graph& graph, ValueId value, std::string_view op, std::string_view domain) {
  if (value == kNoValue || graph.value(value).producer == kNoNode) return nullptr;
  const Node& node = graph.node(graph.value(value).producer);
  return node.Is(op, domain) && node.outputs[0] == value ? &node : nullptr;
}

std::optional<double> ScalarConstant(const Graph& graph, ValueId value) {
  if (value == kNoValue || !graph.value(value).constant) return std::nullopt;
  const Tensor& tensor = *graph.value(value).constant;
  // Floats of 8 bits and fewer are codes, whose numbers nobody looks for.
  const bool number = IsInteger(tensor.dtype()) || (IsFloat(tensor.dtype()) && BitSize(tensor.dtype()) >= 16);
  if (tensor.NumElements() != 1 || !number) return std::nullopt;
  if (tensor.dtype() == DType::kFloat64) return *tensor.Data<double>();
  return IsInteger(tensor.dtype()) ? static_cast<double>(tensor.ToInt64s()[0]) : *tensor.ToFloat32().Data<float>();
}

bool IsScalar(const Graph& graph, ValueId value, double expected, double tolerance) {
  const auto constant = ScalarConstant(graph, value);
  return constant && std::abs(*constant - expected) <= tolerance * std::abs(expected);
}

std::optional<ScalarOperand> MatchScalarOperand(const Graph& graph, const Node& node) {
  const bool commutes = node.Is("Mul") || node.Is("Add");
  if ((!commutes && !node.Is("Sub") && !node.Is("Div") && !node.Is("Pow")) || node.inputs.size() != 2) {
    return std::nullopt;
  }
  for (size_t i : {size_t{1}, size_t{0}}) {
    if (i == 0 && !commutes) break;
    const auto constant = ScalarConstant(graph, node.inputs[i]);
    if (constant && SameShape(graph, node.inputs[1 - i], node.outputs[0])) {
      return ScalarOperand{node.inputs[1 - i], *constant};
    }
  }
  return std::nullopt;
}

std::optional<ValueId> OtherOperand(const Node& node, ValueId value) {
  if (node.inputs.size() != 2) return std::nullopt;
  if (node.inputs[0] == value) return node.inputs[1];
  if (node.inputs[1] == value) return node.inputs[0];
  return std::nullopt;
}

std::optional<std::vector<int64_t>> KnownInts(const Graph& graph, ValueId id) {
  if (id == kNoValue) return std::nullopt;
  const Value& value = graph.value(id);
  if (value.constant) {
    if (!IsInteger(value.constant->dtype())) return std::nullopt;
    return value.constant->ToInt64s();
  }
  return value.contents ? ConstantDims(*value.contents) : std::nullopt;
}

const Shape* ShapeOf(const Graph& graph, ValueId value) {
  if (value == kNoValue) return nullptr;
  const Type& type = graph.value(value).type;
  return type.IsTensor() && type.has_rank ? &type.shape : nullptr;
}

int64_t RankOf(const Graph& graph, ValueId value) {
  const Shape* shape = ShapeOf(graph, value);
  return shape ? static_cast<int64_t>(shape->size()) : -1;
}

DType DTypeOf(const Graph& graph, ValueId value) {
  return value == kNoValue ? DType::kUndefined : graph.value(value).type.dtype;
}

bool SameShape(const Graph& graph, ValueId a, ValueId b) {
  const Shape* sa = ShapeOf(graph, a);
  const Shape* sb = ShapeOf(graph, b);
  return sa && sb && *sa == *sb;
}

bool AlwaysBroadcasts(const Shape& from, const Shape& to) {
  if (from.size() > to.size()) return false;
  for (size_t i = 0; i < from.size(); ++i) {
    if (!(from[i] == Dim(1)) && !(from[i] == to[to.size() - from.size() + i])) return false;
  }
  return true;
}

std::optional<std::vector<int64_t>> ReduceAxes(const Graph& graph, const Node& node) {
  const int64_t rank = RankOf(graph, node.input(0));
  if (rank < 0) return std::nullopt;
  std::vector<int64_t> axes = node.Ints("axes");
  if (node.input(1) != kNoValue) {
    const auto known = KnownInts(graph, node.input(1));
    if (!known) return std::nullopt;
    axes = *known;
  }
  if (axes.empty()) {
    if (node.Int("noop_with_empty_axes", 0) != 0) return axes;
    axes.resize(static_cast<size_t>(rank));
    std::iota(axes.begin(), axes.end(), 0);
    return axes;
  }
  for (int64_t& axis : axes) {
    if (axis < 0) axis += rank;
    if (axis < 0 || axis >= rank) return std::nullopt;
  }
  std::sort(axes.begin(), axes.end());
  return axes;
}

bool ReducesLastAxis(const Graph& graph, const Node& node) {
  const auto axes = ReduceAxes(graph, node);
  return axes && axes->size() == 1 && (*axes)[0] == RankOf(graph, node.input(0)) - 1;
}

std::optional<std::pair<double, double>> ClipBounds(const Graph& graph, const Node& node) {
  if (!node.Is("Clip")) return std::nullopt;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::pair<double, double> bounds{node.Float("min", -kInfinity), node.Float("max", kInfinity)};
  for (size_t i : {size_t{1}, size_t{2}}) {
    if (node.input(i) == kNoValue) continue;
    const auto bound = ScalarConstant(graph, node.input(i));
    if (!bound) return std::nullopt;
    (i == 1 ? bounds.first : bounds.second) = *bound;
  }
  if (!(bounds.first <= bounds.second)) return std::nullopt;  // everything becomes the upper one: left to Clip
  return bounds;
}

bool IsPerChannel(const Graph& graph, ValueId id, int64_t rank, int64_t axis, int64_t channels) {
  if (id == kNoValue || !graph.value(id).constant) return false;
  const Dims& dims = graph.value(id).constant->dims();
  const int64_t missing = rank - static_cast<int64_t>(dims.size());
  if (missing < 0 || axis < missing) return false;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] != (static_cast<int64_t>(i) + missing == axis ? channels : 1)) return false;
  }
  return true;
}

std::optional<std::vector<int64_t>> ReshapeTarget(const Shape& from, const Shape& to) {
  std::vector<int64_t> target;
  bool inferred = false;
  for (size_t i = 0; i < to.size(); ++i) {
    if (const auto constant = to[i].Constant(); constant && *constant > 0) {
      target.push_back(*constant);
    } else if (i < from.size() && from[i] == to[i]) {
      target.push_back(0);
    } else if (!constant && !inferred) {
      target.push_back(-1);
      inferred = true;
    } else {
      return std::nullopt;
    }
  }
  return target;
}

bool AllAre(const std::vector<int64_t>& values, int64_t wanted) {
  return std::all_of(values.begin(), values.end(), [&](int64_t value) { return value == wanted; });
}

bool IsPlainPointwise(const Graph& graph, const Node& node) {
  const Tensor* weight = node.IsTamis("ChannelsLastConv") ? graph.ConstantInput(node, 1) : nullptr;
  return weight != nullptr && weight->dtype() == DType::kFloat32 && node.input(3) == kNoValue &&
         node.String("activation", "").empty() && node.Int("group", 1) == 1 &&
         weight->NumElements() == weight->dim(0) * weight->dim(-1) && AllAre(node.Ints("strides"), 1) &&
         AllAre(node.Ints("pads"), 0);
}

}  // namespace tamis
