#include "src/compiler/permute/permute_voters.h"

#include <algorithm>
#include <map>
#include <set>

#include "src/base/freed_memory.h"
#include "src/compiler/calibrate/calibrate.h"
#include "src/ir/constant_store.h"
#include "src/passes/pass.h"

namespace tamis {
namespace {

// The reader that a voter's bindings are of; those of a shared weight all move alike, so one stands for all.
const Node& ReaderOf(const ChannelTrace& trace, const ChannelVoter& voter) {
  return trace.graph().node(trace.bindings()[voter.bindings[0]].node);
}
ValueId InputOf(const ChannelTrace& trace, const ChannelVoter& voter) {
  return ReaderOf(trace, voter).inputs[1 - trace.bindings()[voter.bindings[0]].input];
}

std::vector<size_t> InputBindings(const ChannelTrace& trace, const std::string& weight) {
  std::vector<size_t> bindings;
  for (size_t b = 0; b < trace.bindings().size(); ++b) {
    const ChannelBinding& binding = trace.bindings()[b];
    const Node& node = trace.graph().node(binding.node);
    if (binding.role != ChannelBinding::Role::kInputs) continue;
    if (trace.graph().value(node.inputs[binding.input]).name != weight) continue;
    if (bindings.empty() || trace.bindings()[bindings[0]].node == binding.node) bindings.push_back(b);
  }
  return bindings;
}

// Why none of the channels that the bindings are of can move; empty if some can.
std::string WhyFixed(const ChannelTrace& trace, const std::vector<size_t>& bindings) {
  std::string reason;
  for (const size_t b : bindings) {
    const SpaceId space = trace.bindings()[b].label.space;
    for (int32_t c = 0; c < trace.spaces().size(space); ++c) {
      const std::string& why = trace.spaces().WhyFixed(trace.spaces().begin(space) + c);
      if (why.empty()) return "";
      if (reason.empty()) reason = why;
    }
  }
  return reason;
}

// Why the inputs of a weight without bindings have no channels.
std::string WhyUnlabelled(const ChannelTrace& trace, const std::string& weight) {
  const Graph& graph = trace.graph();
  const ValueId value = FindValue(graph, weight);
  for (const NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    if (value == kNoValue || node.input(1) != value) continue;
    if (const std::string& why = trace.WhyUnlabelled(node.inputs[0]); !why.empty()) return why;
  }
  return "its inputs' channels can't be told";
}

}  // namespace

Result<std::vector<WeightLayer>> EligibleLayers(const Graph& simplified, const std::vector<std::string>& keep) {
  const FreedMemoryReturned returned;
  TAMIS_ASSIGN_OR_RETURN(const Graph fused, Fuse(simplified, PassOptions{}));
  std::vector<WeightLayer> layers = FindWeightLayers(simplified, fused, LayerRules{.keep = keep});
  TAMIS_RETURN_IF_ERROR(CheckKeep(layers, keep));
  ConstantStore::Rest(simplified);
  std::set<std::string> seen;  // a weight may have become several layers
  std::erase_if(layers, [&](const WeightLayer& layer) {
    return !layer.reason.empty() || !seen.insert(layer.initializer).second;
  });
  return layers;
}

Result<Electorate> FindVoters(const ChannelTrace& trace, const std::vector<WeightLayer>& layers,
                              std::span<const NamedTensors> batches, int threads,
                              const std::function<bool()>& cancelled) {
  Electorate found;
  std::vector<bool> centred;  // by voter
  std::set<ValueId> values, spatial;
  for (const WeightLayer& layer : layers) {
    ChannelVoter voter;
    voter.name = layer.initializer;
    voter.bindings = InputBindings(trace, layer.initializer);
    const std::string why =
        voter.bindings.empty() ? WhyUnlabelled(trace, layer.initializer) : WhyFixed(trace, voter.bindings);
    if (!why.empty()) {
      found.fixed.emplace_back(layer.initializer, why);
      continue;
    }
    values.insert(InputOf(trace, voter));
    if (ReaderOf(trace, voter).Is("Conv")) spatial.insert(InputOf(trace, voter));
    centred.push_back(layer.bias.has_value());
    found.voters.push_back(std::move(voter));
  }
  if (found.voters.empty()) return found;
  CalibrateOptions calibrate;
  calibrate.threads = threads;
  calibrate.cancelled = cancelled;
  TAMIS_ASSIGN_OR_RETURN(const auto statistics, Calibrate(trace.graph(), values, spatial, batches, calibrate));
  for (size_t v = 0; v < found.voters.size(); ++v) {
    ChannelVoter& voter = found.voters[v];
    const TensorStatistics& seen = statistics.at(InputOf(trace, voter));
    const SpaceId space = trace.bindings()[voter.bindings[0]].label.space;
    if (static_cast<int64_t>(seen.mean_squares.size()) != trace.spaces().size(space)) {
      found.fixed.emplace_back(voter.name, "its inputs' channels lie along an axis of which no energies are known");
      continue;
    }
    for (size_t c = 0; c < seen.mean_squares.size(); ++c) {
      const double mean = centred[v] ? seen.means[c] : 0;
      voter.energies.push_back(std::max(0.0, seen.mean_squares[c] - mean * mean));
    }
    voter.total = TotalWorth(trace, voter);
    if (voter.total <= 0) found.fixed.emplace_back(voter.name, "its weights are all zero, or its inputs never vary");
  }
  std::erase_if(found.voters, [](const ChannelVoter& voter) { return voter.total <= 0; });
  return found;
}

}  // namespace tamis
