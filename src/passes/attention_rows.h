// The operands of scaled dot-product attention as rows: [B, S, H*D], where exporters have head-split views of them.
#pragma once

#include <optional>

#include "src/passes/rewriter.h"
#include "src/passes/views.h"

namespace tamis {

// One operand of attention, read back through its head split to the value that holds its rows.
struct AttentionRows {
  View view;
  // The source is [batch, heads, tokens, elements] and read as it is; otherwise rows are made of it.
  bool heads_first = false;
  // The source is [batch, heads * elements, tokens], its axes cut or joined in any way: as convolutions have it. Or it
  // is [batch, parts * heads * elements, tokens...], and `part` is read.
  bool tokens_last = false;
  std::vector<int> batch, tokens;  // factors of the source, in order
  Dim batch_size, token_count, head_count, head_size;
  Dim shared = Dim(1);  // neighbouring heads of the value that are one head of the source: it repeats them
  // The rows are this one of `parts` equal parts of the source's last axis; with tokens_last, of its second.
  std::optional<int64_t> part;
  int64_t parts = 1;
};

// `value` is [B, H, S, D] (or [B*H, S, D], or [B, G, H, S, D] with a batch of B*G); with `tokens_last` [B, H, D, S].
// The farthest source is taken that has head and element in its last axis, in this order, and nothing else but a
// selection; or, of four axes, that is [B, H, S, D]; or that has batch, heads, elements and tokens one after the other.
std::optional<AttentionRows> MatchAttentionRows(const Graph& graph, ValueId value, bool tokens_last);

// Whether MakeRows can make the value.
bool CanMakeRows(const Graph& graph, const AttentionRows& rows);
// A value [B, S, H*D] (or [B, H, S, D]) with these rows, made by as few nodes as it takes: none if the source is that
// value already. A part of a Linear's or Conv's result is a product of its own with those rows of the weight. The
// caller sorts the graph.
ValueId MakeRows(Rewriter& rewriter, const AttentionRows& rows);
// Part `part` of the columns of a Linear's result as a Linear of its own; kNoValue if `source` is no plain Linear.
ValueId SplitLinear(Rewriter& rewriter, ValueId source, int64_t part, int64_t parts);
// Puts views of the rows [B, S, H*E] in the slot of the node: the head-split form [B, H, S, E], [B*H, S, E] or, with a
// batch that ReshapeTarget can cut, [B, G, H, S, E] that the readers of its result expect. The caller sorts the graph.
void SplitHeads(Rewriter& rewriter, NodeId id, ValueId rows, int64_t heads, int64_t head_size);

}  // namespace tamis
