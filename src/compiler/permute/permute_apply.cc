#include "src/compiler/permute/permute_apply.h"

#include <cstring>
#include <map>
#include <numeric>
#include <set>

#include "src/base/tensor_store.h"
#include "tamis/status.h"

namespace tamis {
namespace {

// What one reader wants done to a constant, one binding after another.
struct Move {
  std::vector<int64_t> axes;
  int64_t first_row, rows;
  std::vector<int32_t> sources;  // along the axes
  auto operator<=>(const Move&) const = default;
  bool IsIdentity() const {
    for (size_t i = 0; i < sources.size(); ++i) {
      if (sources[i] != static_cast<int32_t>(i)) return false;
    }
    return true;
  }
};
using Moves = std::vector<Move>;

Move MoveOf(const ChannelTrace& trace, const ChannelBinding& binding, const Tensor& constant,
            const ChannelSources& sources) {
  Move move = {binding.label.axes, binding.first_row, binding.rows, {}};
  int64_t width = 1;
  for (const int64_t axis : binding.label.axes) width *= constant.dim(axis);
  const int32_t begin = trace.spaces().begin(binding.label.space) + binding.first_channel;
  for (int32_t i = 0; i < width; ++i) move.sources.push_back(sources[static_cast<size_t>(begin + i)] - begin);
  return move;
}

Tensor Moved(const Tensor& tensor, const Move& move) {
  Dims strides(tensor.dims().size(), 1);
  for (size_t i = strides.size(); i-- > 1;) strides[i - 1] = strides[i] * tensor.dims()[i];
  const std::set<int64_t> axes(move.axes.begin(), move.axes.end());
  Dims own_dims, own_strides, rest_dims, rest_strides;
  for (const int64_t axis : move.axes) {
    own_dims.push_back(tensor.dim(axis));
    own_strides.push_back(strides[static_cast<size_t>(axis)]);
  }
  for (int64_t axis = 0; axis < tensor.rank(); ++axis) {
    if (axes.count(axis) != 0) continue;
    rest_dims.push_back(axis == 0 && move.rows > 0 ? move.rows : tensor.dim(axis));
    rest_strides.push_back(strides[static_cast<size_t>(axis)]);
  }
  const auto offset = [](std::span<const int64_t> at, const Dims& by) {
    return std::inner_product(at.begin(), at.end(), by.begin(), int64_t{0});
  };
  std::vector<int64_t> places;
  ForCoordinates(own_dims, [&](int64_t, std::span<const int64_t> at) { places.push_back(offset(at, own_strides)); });
  const size_t bytes = ByteSize(tensor.dtype(), 1);
  Tensor moved = tensor.Clone();
  const int64_t first = move.first_row * strides[0];
  ForCoordinates(rest_dims, [&](int64_t, std::span<const int64_t> at) {
    const int64_t begin = first + offset(at, rest_strides);
    for (size_t i = 0; i < places.size(); ++i) {
      if (move.sources[i] == static_cast<int32_t>(i)) continue;
      const int64_t from = begin + places[static_cast<size_t>(move.sources[i])], to = begin + places[i];
      std::memcpy(moved.raw() + static_cast<size_t>(to) * bytes, tensor.raw() + static_cast<size_t>(from) * bytes,
                  bytes);
    }
  });
  return moved;
}

// The output keeps its name; what made it so far gets another.
void TurnBack(const ChannelTrace& trace, const TurnedOutput& turned, const ChannelSources& sources, Graph& graph) {
  const int32_t begin = trace.spaces().begin(turned.label.space);
  std::vector<int64_t> places(static_cast<size_t>(trace.spaces().size(turned.label.space)));
  bool moved = false;
  for (size_t i = 0; i < places.size(); ++i) {
    const auto from = static_cast<size_t>(sources[static_cast<size_t>(begin) + i] - begin);
    places[from] = static_cast<int64_t>(i);
    moved = moved || from != i;
  }
  if (!moved) return;
  const ValueId inside = graph.outputs[turned.output];
  const std::string name = graph.value(inside).name;
  graph.value(inside).name = graph.FreshName(name);
  const ValueId outside = graph.AddValue(name, graph.value(inside).type);
  Node node;
  node.op = "Gather";
  node.name = name + " in its order";
  node.inputs = {inside, graph.AddConstant(graph.FreshName(name + "_order"), Tensor::Int64s(places))};
  node.outputs = {outside};
  node.attributes["axis"] = turned.label.axes[0];
  graph.AddNode(std::move(node));
  graph.outputs[turned.output] = outside;
}

}  // namespace

ChannelSources UnmovedChannels(const ChannelSpaces& spaces) {
  ChannelSources sources(static_cast<size_t>(spaces.total()));
  std::iota(sources.begin(), sources.end(), 0);
  return sources;
}

void MoveAtoms(const ChannelClass& atoms, std::span<const int32_t> order, ChannelSources* sources) {
  TAMIS_ASSERT(order.size() == atoms.atoms.size());
  const ChannelSources before = *sources;
  for (size_t i = 0; i < order.size(); ++i) {
    const std::vector<int32_t>&place = atoms.atoms[i], &from = atoms.atoms[static_cast<size_t>(order[i])];
    for (size_t k = 0; k < place.size(); ++k) {
      (*sources)[static_cast<size_t>(place[k])] = before[static_cast<size_t>(from[k])];
    }
  }
}

void ApplySources(const ChannelTrace& trace, const ChannelSources& sources, Graph& graph) {
  std::map<ValueId, std::map<std::pair<NodeId, size_t>, Moves>> wanted;  // by constant, then by reader
  for (const ChannelBinding& binding : trace.bindings()) {
    const ValueId id = graph.node(binding.node).inputs[binding.input];
    Move move = MoveOf(trace, binding, *graph.value(id).constant, sources);
    if (!move.IsIdentity()) wanted[id][{binding.node, binding.input}].push_back(std::move(move));
  }
  std::vector<size_t> readers(graph.NumValues(), 0);
  for (const NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    for (const ValueId input : node.inputs)
      readers[input == kNoValue ? 0 : static_cast<size_t>(input)] += input != kNoValue;
    for (const Region& region : node.regions) {
      for (const ValueId captured : region.captures) ++readers[static_cast<size_t>(captured)];
    }
  }
  for (const ValueId output : graph.outputs) ++readers[static_cast<size_t>(output)];
  for (const auto& [id, by_reader] : wanted) {
    std::map<Moves, std::vector<std::pair<NodeId, size_t>>> by_moves;
    for (const auto& [reader, moves] : by_reader) by_moves[moves].push_back(reader);
    const bool alike = by_moves.size() == 1 && by_reader.size() == readers[static_cast<size_t>(id)];
    for (const auto& [moves, nodes] : by_moves) {
      Tensor constant = *graph.value(id).constant;
      for (const Move& move : moves) constant = Moved(constant, move);
      TensorStore::Rest(*graph.value(id).constant);
      if (alike) {
        graph.value(id).constant = std::move(constant);
        graph.value(id).constant_hash = 0;
        continue;
      }
      const ValueId own = graph.AddConstant(graph.FreshName(graph.value(id).name), std::move(constant));
      for (const auto& [node, input] : nodes) graph.node(node).inputs[input] = own;
    }
  }
  for (const TurnedOutput& turned : trace.outputs()) TurnBack(trace, turned, sources, graph);
}

}  // namespace tamis
