// Lookups that give back every element in its order: what PyTorch's exporter writes for as_strided, with the places of
// all elements computed from strides.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "src/ir/graph.h"

namespace tamis {

// An integer value that grows by the same step along each axis: value[i, j, ...] = offset + i * steps[0] + ...
struct LinearPlaces {
  int64_t offset = 0;
  std::vector<int64_t> steps;
};
// Through Range, constants, sums, products by a number, and axes of one element that are added. nullopt if the value
// isn't linear or that can't be seen.
std::optional<LinearPlaces> MatchLinearPlaces(const Graph& graph, ValueId value);

// For a Gather of a flattened tensor at the places of all its elements in order: the tensor before it was flattened.
// The Gather is a Reshape of that, or the tensor itself where shapes agree.
std::optional<ValueId> ViewedInOrder(const Graph& graph, const Node& node);

}  // namespace tamis
