// For tests: a network with every class of channels in random orders computes what it computed before.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>

#include "src/compiler/permute/permute_apply.h"
#include "src/compiler/permute/permute_trace.h"
#include "src/passes/test_graph.h"

namespace tamis {

// How many classes there are of each size.
using Sizes = std::map<size_t, int>;

inline Feeds RandomFeeds(const Graph& graph, uint32_t seed) {
  Feeds feeds;
  for (const ValueId input : graph.inputs) {
    const Value& value = graph.value(input);
    Dims dims;
    for (const Dim& dim : value.type.shape) dims.push_back(dim.Constant().value_or(3));
    Tensor tensor = RandomTensor(dims, seed++);
    if (value.type.dtype == DType::kInt64) {
      tensor = Tensor(DType::kInt64, dims);
      std::mt19937 random(seed++);
      for (int64_t& x : tensor.Span<int64_t>()) x = random() % 7;
    }
    feeds[value.name] = tensor;
  }
  return feeds;
}

// Shuffles all classes; the outputs must stay, and at least one weight must not have. Sizes of all classes.
inline Sizes ShuffleAndCompare(const Graph& graph) {
  ChannelTrace trace(graph);
  const auto classes = trace.spaces().FindClasses();
  Sizes sizes;
  for (const ChannelClass& found : classes) ++sizes[found.atoms.size()];
  const Feeds feeds = RandomFeeds(graph, 5);
  const auto expected = Evaluate(graph, feeds);
  for (const uint32_t seed : {1, 2, 3}) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    ChannelSources sources = UnmovedChannels(trace.spaces());
    for (const ChannelClass& found : classes) {
      std::vector<int32_t> order(found.atoms.size());
      std::iota(order.begin(), order.end(), 0);
      std::shuffle(order.begin(), order.end(), random);
      MoveAtoms(found, order, &sources);
    }
    Graph moved = graph.Clone();
    ApplySources(trace, sources, moved);
    EXPECT_TRUE(moved.Verify().ok());
    ExpectClose(expected, Evaluate(moved, feeds), 2e-5);
    bool changed = moved.NumValues() > graph.NumValues();
    for (size_t i = 0; i < graph.NumValues(); ++i) {
      const auto &before = graph.value(static_cast<ValueId>(i)).constant,
                 &after = moved.value(static_cast<ValueId>(i)).constant;
      changed = changed || (before && before->raw() != after->raw());
    }
    EXPECT_EQ(changed, !classes.empty());
  }
  return sizes;
}

}  // namespace tamis
