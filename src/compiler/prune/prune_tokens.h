// Which tokens of padded sequences are real, found from the structure of the network alone.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "src/base/thread_pool.h"
#include "src/ir/graph.h"
#include "tamis/session.h"

namespace tamis {

// A source of token masks: the mask operand of an Attention or MaskedMean node that depends on the graph's inputs
// through nothing that has weights.
struct TokenMask {
  NodeId node = kNoNode;
  ValueId mask = kNoValue;
  Dim batch, tokens;  // the axes that it tells apart, as the graph's symbols have them
};
// The first source in execution order; nullopt if there is none.
std::optional<TokenMask> FindTokenMask(const Graph& fused);

// 1 for every token that counts, by [batch][tokens]. A key that no query of any head may see (its score moved by -1e4
// or less) and a token of weight 0 in the mean do not count.
struct TokenFlags {
  int64_t batch = 0, tokens = 0;
  std::vector<uint8_t> real;
};
Result<TokenFlags> EvaluateTokenMask(const Graph& fused, const TokenMask& mask, const NamedTensors& inputs,
                                     std::shared_ptr<ThreadPool> pool);

// Drops the positions, of a value with this symbolic shape, that belong to tokens which don't count. Shapes that don't
// begin with [batch, tokens, ...] or [batch * tokens, ...] are left alone; the result says whether this one does.
// `positions` index all axes but the last.
bool KeepRealTokens(const TokenMask& mask, const TokenFlags& flags, const Shape& shape,
                    std::vector<int64_t>* positions);

// Whether the network answers once for a sequence and not for each token: no output has the token axis.
bool AnswersOnce(const Graph& fused, const TokenMask& mask);
// 1 over the number of real tokens, by sample: a long text is then no more than a short one.
std::vector<float> EvenShares(const TokenFlags& flags);

// The samples of `batches` put together anew: sorted by their number of leading tokens up to the last real one, in
// batches of `batch` samples, the token axis of every input cut to the longest of its batch. Returned as they are if
// the token axis is not a free symbol that starts the second axis of an input, or the batch axis is fixed.
Result<std::vector<NamedTensors>> TrimPadding(const Graph& fused, const TokenMask& mask,
                                              std::vector<NamedTensors> batches, int64_t batch,
                                              std::shared_ptr<ThreadPool> pool);

}  // namespace tamis
