// The operands of scaled dot-product attention as rows: [B, S, H*D], where exporters have head-split views of them.
#pragma once

#include <optional>

#include "src/passes/rewriter.h"
#include "src/passes/views.h"

namespace tamis {

// One operand of attention, read back through its head split to the value that holds its rows.
struct AttentionRows {
  View view;
  std::vector<int> batch, tokens;  // factors of the source, in order
  Dim batch_size, token_count, head_count, head_size;
  std::optional<int64_t> part;  // the rows are this one of `parts` equal parts of the source's last axis
  int64_t parts = 1;
};

// `value` is [B, H, S, D] (or [B*H, S, D]); with `tokens_last` [B, H, D, S]. nullopt unless head and element lie in the
// last axis of the source, in this order, and nothing else does but a selection.
std::optional<AttentionRows> MatchAttentionRows(const Graph& graph, ValueId value, bool tokens_last);

// Whether MakeRows can make the value.
bool CanMakeRows(const Graph& graph, const AttentionRows& rows);
// A value [B, S, H*D] with these rows, made by as few nodes as it takes: none if the source is that value already. A
// part of a Linear's result is a Linear of its own with those rows of the weight. The caller sorts the graph.
ValueId MakeRows(Rewriter& rewriter, const AttentionRows& rows);

}  // namespace tamis
