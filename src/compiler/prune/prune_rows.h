// The rows that a weight layer multiplies: positions of its input, gathered alike in the dense and the pruned network.
#pragma once

#include <cstdint>
#include <vector>

#include "src/base/thread_pool.h"
#include "src/ir/graph.h"

namespace tamis {

// Output positions of one batch, by index into the node's output without its last axis.
using Positions = std::vector<int64_t>;

// Number of output positions of a Linear or ChannelsLastConv node for this input and weight.
int64_t CountPositions(const Node& node, const Tensor& input, const Tensor& weight);

// For every position of `positions` the weight's operand in convolution group `group`: rows of K floats in the order of
// the weight's elements [spatial..., C / groups], zero where the window lies on padding. `input` is f32 or bf16.
// Into `rows`, whose memory is taken over.
void GatherRows(const Node& node, const Tensor& input, const Tensor& weight, int64_t group, const Positions& positions,
                ThreadPool& pool, std::vector<float>* rows);

}  // namespace tamis
