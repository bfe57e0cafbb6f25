// Which weights have a say in the order of a network's channels.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "src/compiler/permute/permute_vote.h"
#include "src/compiler/prune/prune_layers.h"
#include "tamis/session.h"
#include "tamis/status.h"

namespace tamis {

// The layers that will be 2:4, as the pruner will find them, one for each weight. Error (kUser) for a name of `keep`
// that is no layer's.
Result<std::vector<WeightLayer>> EligibleLayers(const Graph& simplified, const std::vector<std::string>& keep);

struct Electorate {
  std::vector<ChannelVoter> voters;
  std::vector<std::pair<std::string, std::string>> fixed;  // the other layers, and why their inputs can't move
};

// What the voters' input channels are worth is measured on the samples: the second moment, about the mean where a bias
// takes that up. The trace's classes must have been found.
Result<Electorate> FindVoters(const ChannelTrace& trace, const std::vector<WeightLayer>& layers,
                              std::span<const NamedTensors> batches, int threads,
                              const std::function<bool()>& cancelled);

}  // namespace tamis
