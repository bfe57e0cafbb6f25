// Contractions: sums over axes that two operands share, of which MatMul is one form and Einsum names them all.
#include <algorithm>
#include <array>
#include <vector>

#include "src/compiler/permute/permute_rules.h"
#include "src/ops/op_einsum.h"
#include "src/passes/match.h"

namespace tamis {
namespace {

using Letters = std::vector<int>;
using Role = ChannelBinding::Role;

bool Has(const Letters& letters, int letter) {
  return std::find(letters.begin(), letters.end(), letter) != letters.end();
}

int64_t PlaceIn(const Letters& letters, int letter) {
  return std::find(letters.begin(), letters.end(), letter) - letters.begin();
}

std::vector<int64_t> PlacesIn(const Letters& letters, const Letters& of) {
  std::vector<int64_t> places;
  for (const int letter : of) places.push_back(PlaceIn(letters, letter));
  return places;
}

// One operand; `own` are the letters of the axes that its channels lie along.
struct Factor {
  Factor(const ChannelTrace& trace, ValueId of, const Letters& all) : value(of), letters(all), label(trace.Of(of)) {
    if (label == nullptr) return;
    for (const int64_t axis : label->axes) own.push_back(letters[static_cast<size_t>(axis)]);
    dims = trace.DimsOf(*label, value);
  }
  bool Sums(const Letters& output) const {
    return std::any_of(own.begin(), own.end(), [&](int letter) { return !Has(output, letter); });
  }

  ValueId value;
  Letters letters;
  const ChannelLabel* label;
  Letters own;
  std::vector<int64_t> dims;  // along `own`
};

// Both are summed over channels, queries and keys of heads for instance: these are tied, and stay within their head.
bool TieSummed(ChannelTrace& trace, const Factor& a, const Factor& b, const Letters& output) {
  if (!a.Sums(output) || !b.Sums(output) || a.own.size() != b.own.size()) return false;
  std::vector<size_t> place;  // in b of a's axes
  for (size_t i = 0; i < a.own.size(); ++i) {
    if (!Has(b.own, a.own[i])) return false;
    place.push_back(static_cast<size_t>(PlaceIn(b.own, a.own[i])));
    if (a.dims[i] != b.dims[place.back()]) return false;
  }
  ChannelSpaces::Pairs pairs;
  ForCoordinates(a.dims, [&](int64_t flat, std::span<const int64_t> at) {
    std::vector<int64_t> turned(at.size());
    for (size_t i = 0; i < at.size(); ++i) turned[place[i]] = at[i];
    pairs.emplace_back(static_cast<int32_t>(flat), static_cast<int32_t>(FlatIndex(b.dims, turned)));
  });
  trace.spaces().Relate(a.label->space, b.label->space, std::move(pairs));
  for (const Factor* factor : {&a, &b}) {
    std::vector<bool> kept;
    for (const int letter : factor->own) kept.push_back(Has(output, letter));
    trace.BinBy(*factor->label, factor->dims, kept);
  }
  return true;
}

// Channels that are not summed over are the result's; along axes that both operands have they stay in their place.
ChannelLabel Carry(ChannelTrace& trace, const Factor& from, const Factor& other, const Letters& output) {
  std::vector<bool> shared;
  for (const int letter : from.own) {
    shared.push_back(Has(other.letters, letter) && trace.DimOf(other.value, PlaceIn(other.letters, letter)) != 1);
  }
  if (std::find(shared.begin(), shared.end(), true) != shared.end()) trace.BinBy(*from.label, from.dims, shared);
  return {from.label->space, PlacesIn(output, from.own)};
}

// An activation times a constant. What only the constant has are channels that are made here.
void TraceByConstant(ChannelTrace& trace, NodeId id, size_t weight_input, const std::array<Letters, 2>& operands,
                     const Letters& output) {
  const Graph& graph = trace.graph();
  const Node& node = graph.node(id);
  const Letters& of_weight = operands[weight_input];
  const Factor factor(trace, node.inputs[1 - weight_input], operands[1 - weight_input]);
  const auto summed = [&](int letter) { return Has(of_weight, letter) && !Has(output, letter); };
  if (factor.label != nullptr) {
    if (!factor.Sums(output)) {
      const Factor constant(trace, node.inputs[weight_input], of_weight);
      return trace.Set(node.outputs[0], Carry(trace, factor, constant, output));
    }
    if (!std::all_of(factor.own.begin(), factor.own.end(), summed)) {
      trace.PinInput(id, 1 - weight_input, "reads them in parts");
    } else {
      // Saliency is known by the last axis alone; weights that are read along others move, and have no say.
      const bool votes = factor.own.size() == 1 && factor.own[0] == factor.letters.back();
      trace.Bind({id,
                  weight_input,
                  votes ? Role::kInputs : Role::kOutputs,
                  {factor.label->space, PlacesIn(of_weight, factor.own)}});
    }
  }
  ChannelLabel made, in_weight;
  int64_t count = 1;
  for (size_t axis = 0; axis < of_weight.size(); ++axis) {
    const int letter = of_weight[axis];
    const int64_t dim = graph.ConstantInput(node, weight_input)->dim(static_cast<int64_t>(axis));
    if (!Has(output, letter) || Has(factor.letters, letter) || dim == 1) continue;
    made.axes.push_back(PlaceIn(output, letter));
    in_weight.axes.push_back(static_cast<int64_t>(axis));
    count *= dim;
  }
  if (count < 2) return;
  made.space = in_weight.space = trace.spaces().Add(count);
  trace.Bind({id, weight_input, Role::kOutputs, in_weight});
  trace.Set(node.outputs[0], made);
}

bool AllDifferent(Letters letters) {
  std::sort(letters.begin(), letters.end());
  return std::adjacent_find(letters.begin(), letters.end()) == letters.end();
}

}  // namespace

void TraceContraction(ChannelTrace& trace, NodeId id, const std::array<std::vector<int>, 2>& operands,
                      const std::vector<int>& output) {
  const Node& node = trace.graph().node(id);
  const Factor factors[2] = {{trace, node.inputs[0], operands[0]}, {trace, node.inputs[1], operands[1]}};
  const bool tied = TieSummed(trace, factors[0], factors[1], output);
  ChannelLabel result;
  for (const size_t i : {size_t{1}, size_t{0}}) {
    const Factor& factor = factors[i];
    if (factor.label == nullptr || (tied && factor.Sums(output))) continue;
    if (factor.Sums(output)) {
      trace.Pin(factor.value, ChannelTrace::NameOf(node) + " sums over them against what can't move");
    } else if (result.space != kNoSpace) {
      trace.Pin(factor.value, ChannelTrace::NameOf(node) + " makes pairs of them and other channels");
    } else {
      result = Carry(trace, factor, factors[1 - i], output);
    }
  }
  trace.Set(node.outputs[0], result);
}

void TraceEinsum(ChannelTrace& trace, NodeId id) {
  const Graph& graph = trace.graph();
  const Node& node = graph.node(id);
  std::vector<size_t> ranks;
  for (const ValueId input : node.inputs) {
    const int64_t rank = RankOf(graph, input);
    if (rank < 0) return trace.PinInputs(id, "has operands of unknown shapes");
    ranks.push_back(static_cast<size_t>(rank));
  }
  NodeProblems problems;
  const EinsumEquation equation = ParseEinsum(node.String("equation", ""), ranks, &problems);
  if (!problems.empty() || node.inputs.size() != 2 ||
      !std::all_of(equation.inputs.begin(), equation.inputs.end(), AllDifferent)) {
    return trace.PinInputs(id, "is of a form whose channels are not followed");
  }
  const std::array<Letters, 2> operands = {equation.inputs[0], equation.inputs[1]};
  for (const size_t weight_input : {size_t{1}, size_t{0}}) {
    const bool constant = graph.ConstantInput(node, weight_input) != nullptr;
    if (constant) return TraceByConstant(trace, id, weight_input, operands, equation.output);
  }
  TraceContraction(trace, id, operands, equation.output);
}

}  // namespace tamis
