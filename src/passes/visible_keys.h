// Attention masks taken apart: which keys a query sees by its position alone, and what else there is.
#pragma once

#include <optional>
#include <vector>

#include "src/ir/graph.h"

namespace tamis {

// Scores below this are hidden: no sum of products comes near it, and added to it every score is lost.
constexpr double kHiddenScore = -1e30;

// Query s sees the keys from s + first to s + last.
struct KeyBounds {
  std::optional<Dim> first, last;
  bool Any() const { return first || last; }
};

// The elements of `value` that are not zero (`when`), or that are zero.
struct MaskCondition {
  ValueId value = kNoValue;
  bool when = true;
};

// A mask that is added to scores: 0 or `addend` where the bounds hold and all conditions do, `hidden` elsewhere.
struct VisibleKeys {
  KeyBounds bounds;
  std::vector<MaskCondition> rest;
  ValueId addend = kNoValue;
  double hidden = 0;
};

// nullopt if the graph doesn't show `mask`, which broadcasts to [batch, heads, queries, keys], to have bounds.
std::optional<VisibleKeys> MatchVisibleKeys(const Graph& graph, ValueId mask, const Dim& queries);

}  // namespace tamis
