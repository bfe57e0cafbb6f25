// What patterns ask of a graph. All of these look at structure, constants and symbolic shapes; none at names.
#pragma once

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "src/ir/graph.h"
#include "src/ops/op_random.h"

namespace tamis {

// The node that makes `value` if it is this operator, else nullptr. Valid until a node is added.
const Node* Producer(const Graph& graph, ValueId value, std::string_view op, std::string_view domain = "");

// The one element of a constant of one number.
std::optional<double> ScalarConstant(const Graph& graph, ValueId value);
// |constant - expected| <= tolerance * |expected|; exporters write constants in f32, some rounded to few digits.
bool IsScalar(const Graph& graph, ValueId value, double expected, double tolerance = 1e-4);

// A node that combines one value with one scalar constant and keeps the value's shape.
struct ScalarOperand {
  ValueId value = kNoValue;
  double constant = 0;
};
// Mul and Add: the constant on either side. Sub, Div and Pow: on the right. nullopt for all else.
std::optional<ScalarOperand> MatchScalarOperand(const Graph& graph, const Node& node);
// The other operand of a node of two operands, nullopt if `value` isn't one of them.
std::optional<ValueId> OtherOperand(const Node& node, ValueId value);

// The elements of a constant integer tensor, or of one whose contents are known constants.
std::optional<std::vector<int64_t>> KnownInts(const Graph& graph, ValueId value);
// nullptr if the rank is unknown.
const Shape* ShapeOf(const Graph& graph, ValueId value);
int64_t RankOf(const Graph& graph, ValueId value);  // -1 if unknown
DType DTypeOf(const Graph& graph, ValueId value);
// Known and equal, dimension by dimension, as expressions.
bool SameShape(const Graph& graph, ValueId a, ValueId b);
// Whether `from` broadcasts to `to` for every binding of the symbols, without changing `to`.
bool AlwaysBroadcasts(const Shape& from, const Shape& to);

// The axes of a Reduce* node, from the attribute or the input, non-negative and sorted; nullopt if not known.
std::optional<std::vector<int64_t>> ReduceAxes(const Graph& graph, const Node& node);
// Whether a Reduce* node works along the last axis alone.
bool ReducesLastAxis(const Graph& graph, const Node& node);
// The bounds of a Clip, from attributes or constant inputs, infinities where absent; nullopt if they aren't constant
// or the lower one is above the other.
std::optional<std::pair<double, double>> ClipBounds(const Graph& graph, const Node& node);
// A constant of one number a channel along `axis` of an operand of rank `rank`: [C] aligned by broadcasting, all other
// dimensions 1. The channels must be `channels`; a constant of one number in all is not accepted.
bool IsPerChannel(const Graph& graph, ValueId value, int64_t rank, int64_t axis, int64_t channels);

// A constant that a Reshape from `from` to `to` may read: constants as they are, 0 where a dimension stays, -1 at most
// once. nullopt if the symbols don't allow it.
std::optional<std::vector<int64_t>> ReshapeTarget(const Shape& from, const Shape& to);

bool AllAre(const std::vector<int64_t>& values, int64_t wanted);  // true where there are none
// Whether the node is a ChannelsLastConv of f32 that mixes only channels, one pixel at a time, by a constant weight
// [outputs, 1..., inputs]: no groups, strides, padding, activation or residual.
bool IsPlainPointwise(const Graph& graph, const Node& node);

}  // namespace tamis
