// Second moments of a weight layer's inputs over all samples of a paired run.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "src/compiler/prune/loss_gradient.h"
#include "src/compiler/prune/prune_layers.h"
#include "src/compiler/prune/prune_run.h"
#include "src/compiler/prune/prune_tokens.h"
#include "src/sparsity/moments.h"

namespace tamis {

// Tokens that don't count, by batch; empty if the network has no token mask.
struct TokenFilter {
  std::optional<TokenMask> mask;
  std::vector<TokenFlags> flags;
  bool answers_once = false;  // AnswersOnce
};

// Moments of one convolution group's inputs over two halves of the samples, so that what one half teaches can be
// checked on the other.
using MomentFolds = std::array<Moments, 2>;

// Of nothing yet, one for each of the layer's groups.
std::vector<MomentFolds> EmptyMoments(const WeightLayer& layer);

// Adds the input rows of `user`, one of the layer's nodes, to moments[g] for each convolution group g. Both networks
// must have the node's operands. Where the samples hold more rows than the layer's width pays for, a share of them is
// drawn with `seed`; padding tokens never count. `shares`, if given, says how often the rows of each sample count; else
// all samples of a network that answers once for each count alike, whatever their number of tokens;
// where a norm reads what the layer gives, a row also counts by how much of it the norm lets through.
Status AddMoments(const Graph& graph, const WeightLayer& layer, NodeId user, PairedRun& run, const TokenFilter& filter,
                  const SampleShares* shares, uint64_t seed, ThreadPool& pool, std::vector<MomentFolds>* moments);

}  // namespace tamis
