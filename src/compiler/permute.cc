#include "src/compiler/permute.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "src/compiler/calibrate.h"
#include "src/compiler/permute_prove.h"
#include "src/compiler/permute_vote.h"
#include "src/compiler/prune_layers.h"
#include "src/passes/pass.h"

namespace tamis {
namespace {

// A class that lets less than this share more of the saliency through is left as it is.
constexpr double kLeastGain = 1e-4;

// The layers that will be 2:4, as the pruner will find them.
Result<std::vector<WeightLayer>> EligibleLayers(const Graph& simplified, const PermuteOptions& options) {
  TAMIS_ASSIGN_OR_RETURN(const Graph fused, Fuse(simplified, PassOptions{}));
  std::vector<WeightLayer> layers = FindWeightLayers(simplified, fused, LayerRules{.keep = options.keep});
  TAMIS_RETURN_IF_ERROR(CheckKeep(layers, options.keep));
  std::set<std::string> seen;  // a weight may have become several layers
  std::erase_if(layers, [&](const WeightLayer& layer) {
    return !layer.reason.empty() || !seen.insert(layer.initializer).second;
  });
  return layers;
}

struct Voters {
  std::vector<ChannelVoter> voters;
  std::vector<FixedLayer> fixed;
};

// Second moments of what the layers read, about the mean where the bias takes that up.
Status Weigh(const Graph& simplified, std::span<const NamedTensors> batches, const PermuteOptions& options, int threads,
             const std::vector<WeightLayer>& layers, const ChannelTrace& trace, std::vector<ChannelVoter>* voters) {
  std::set<ValueId> values, spatial;
  const auto input_of = [&](const ChannelVoter& voter) {
    const ChannelBinding& binding = trace.bindings()[voter.bindings[0]];
    return simplified.node(binding.node).inputs[1 - binding.input];
  };
  for (const ChannelVoter& voter : *voters) {
    values.insert(input_of(voter));
    if (simplified.node(trace.bindings()[voter.bindings[0]].node).Is("Conv")) spatial.insert(input_of(voter));
  }
  CalibrateOptions calibrate;
  calibrate.threads = threads;
  calibrate.cancelled = options.cancelled;
  TAMIS_ASSIGN_OR_RETURN(const auto statistics, Calibrate(simplified, values, spatial, batches, calibrate));
  for (ChannelVoter& voter : *voters) {
    const TensorStatistics& seen = statistics.at(input_of(voter));
    const auto layer =
        std::find_if(layers.begin(), layers.end(), [&](const auto& l) { return l.initializer == voter.name; });
    for (size_t c = 0; c < seen.mean_squares.size(); ++c) {
      const double mean = layer->bias ? seen.means[c] : 0;
      voter.energies.push_back(std::max(0.0, seen.mean_squares[c] - mean * mean));
    }
    voter.total = TotalWorth(trace, voter);
  }
  std::erase_if(*voters, [](const ChannelVoter& voter) { return voter.total <= 0; });
  return {};
}

// Layers whose inputs are channels of the trace, and why the others' can't move.
Voters FindVoters(const ChannelTrace& trace, const std::vector<WeightLayer>& layers) {
  const Graph& graph = trace.graph();
  Voters found;
  for (const WeightLayer& layer : layers) {
    ChannelVoter voter;
    voter.name = layer.initializer;
    std::string reason;
    bool free = false;
    ValueId read = kNoValue;
    std::set<NodeId> nodes;
    for (size_t b = 0; b < trace.bindings().size(); ++b) {
      const ChannelBinding& binding = trace.bindings()[b];
      const Node& node = graph.node(binding.node);
      if (graph.value(node.inputs[binding.input]).name != layer.initializer) continue;
      if (binding.role != ChannelBinding::Role::kInputs) continue;
      // The readers of a shared weight all move alike: one stands for all.
      if (nodes.empty()) nodes.insert(binding.node);
      if (nodes.count(binding.node) == 0) continue;
      voter.bindings.push_back(b);
      read = node.inputs[1 - binding.input];
      const int32_t begin = trace.spaces().begin(binding.label.space);
      for (int32_t c = 0; c < trace.spaces().size(binding.label.space); ++c) {
        const std::string& why = trace.spaces().WhyFixed(begin + c);
        free = free || why.empty();
        if (reason.empty()) reason = why;
      }
    }
    // Only matrices and convolutions of two operands in this order have statistics of their input's channels.
    if (free && trace.bindings()[voter.bindings[0]].input == 1) {
      found.voters.push_back(std::move(voter));
      continue;
    }
    if (read == kNoValue) {
      const ValueId weight = FindValue(graph, layer.initializer);
      for (const NodeId id : graph.NodeIds()) {
        const Node& node = graph.node(id);
        if (node.input(1) == weight && weight != kNoValue) reason = trace.WhyUnlabelled(node.inputs[0]);
      }
    }
    found.fixed.push_back({layer.initializer, reason.empty() ? "its inputs' channels can't be told" : reason});
  }
  return found;
}

// Classes of equal size with the same readers, the heads of an attention layer for instance, are one line.
std::vector<PermutedClass> Merged(std::vector<PermutedClass> lines) {
  std::vector<PermutedClass> merged;
  for (PermutedClass& line : lines) {
    PermutedClass* last = merged.empty() ? nullptr : &merged.back();
    if (last == nullptr || last->channels != line.channels || last->layers != line.layers) {
      merged.push_back(std::move(line));
      continue;
    }
    ++last->classes;
    last->moved += line.moved;
    last->kept_after = line.kept_after;
    if (last->reason.empty()) last->reason = line.reason;
  }
  return merged;
}

}  // namespace

int64_t PermuteReport::Moved() const {
  int64_t moved = 0;
  for (const PermutedClass& line : classes) moved += line.moved;
  return moved;
}

int64_t PermuteReport::Classes() const {
  int64_t count = 0;
  for (const PermutedClass& line : classes) count += line.classes;
  return count;
}

Result<PermuteReport> PermuteChannels(Graph& simplified, std::span<const NamedTensors> batches,
                                      const PermuteOptions& options, std::shared_ptr<ThreadPool> pool) {
  if (batches.empty()) return UserError("permuting channels needs samples of the network's inputs");
  PermuteReport report;
  TAMIS_ASSIGN_OR_RETURN(const std::vector<WeightLayer> layers, EligibleLayers(simplified, options));
  ChannelTrace trace(simplified);
  const std::vector<ChannelClass> classes = trace.spaces().FindClasses();
  Voters found = FindVoters(trace, layers);
  report.fixed = std::move(found.fixed);
  if (found.voters.empty()) return report;
  TAMIS_RETURN_IF_ERROR(Weigh(simplified, batches, options, pool->threads(), layers, trace, &found.voters));

  const auto start = std::chrono::steady_clock::now();
  ChannelSources sources = UnmovedChannels(trace.spaces());
  std::vector<std::pair<const ChannelClass*, std::vector<const ChannelVoter*>>> electorates;
  for (const ChannelClass& atoms : classes) {
    std::vector<const ChannelVoter*> voters;
    for (const ChannelVoter& voter : found.voters) {
      if (Reads(trace, voter, atoms)) voters.push_back(&voter);
    }
    if (!voters.empty()) electorates.emplace_back(&atoms, std::move(voters));
  }
  std::vector<PermutedClass> lines(electorates.size());
  std::vector<ClassOrder> orders;
  std::vector<size_t> order_lines;
  for (size_t i = 0; i < electorates.size(); ++i) {
    const auto& [atoms, voters] = electorates[i];
    if (options.cancelled && options.cancelled()) return RuntimeError("permuting was interrupted");
    if (options.progress) {
      options.progress(static_cast<int>(i), static_cast<int>(electorates.size()),
                       "permuting what " + voters[0]->name + " reads");
    }
    PermutedClass& line = lines[i];
    line.channels = static_cast<int64_t>(atoms->atoms.size());
    const auto kept = [&, &of = voters](const ChannelSources& by) {
      double sum = 0;
      for (const ChannelVoter* voter : of) sum += KeptShare(trace, *voter, by);
      return sum / static_cast<double>(of.size());
    };
    for (const ChannelVoter* voter : voters) line.layers.push_back(voter->name);
    line.kept_before = line.kept_after = kept(sources);
    std::vector<int32_t> order = BestOrder(trace, *atoms, voters, sources, {.seed = options.seed}, *pool);
    if (order.empty()) {
      line.reason = "no two of them share a group of four";
      continue;
    }
    ChannelSources moved = sources;
    MoveAtoms(*atoms, order, &moved);
    const double after = kept(moved);
    if (after - line.kept_before < kLeastGain) {
      line.reason = "no order was found that keeps more";
      continue;
    }
    line.kept_after = after;
    line.moved = 1;
    sources = std::move(moved);
    orders.push_back({atoms, std::move(order)});
    order_lines.push_back(i);
  }
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!orders.empty()) {
    TAMIS_ASSIGN_OR_RETURN(ProvenOrders proven, ProveOrders(simplified, trace, orders, batches[0], pool->threads()));
    report.error = proven.error;
    report.bound = proven.bound;
    for (size_t i = 0; i < orders.size(); ++i) {
      if (proven.given_back[i].empty()) continue;
      PermutedClass& line = lines[order_lines[i]];
      line.moved = 0;
      line.kept_after = line.kept_before;
      line.reason = proven.given_back[i];
    }
    simplified = std::move(proven.graph);
  }
  report.classes = Merged(std::move(lines));
  return report;
}

void WriteJson(const PermuteReport& report, JsonWriter* json) {
  json->Field("moved", report.Moved())
      .Field("of", report.Classes())
      .Field("error", report.error)
      .Field("bound", report.bound);
  json->Field("seconds", report.seconds).Key("classes").BeginArray();
  for (const PermutedClass& line : report.classes) {
    json->BeginObject().Field("channels", line.channels).Field("classes", line.classes);
    json->Field("layers", line.layers).Field("moved", line.moved);
    json->Field("kept_before", line.kept_before).Field("kept_after", line.kept_after);
    json->Field("reason", line.reason).EndObject();
  }
  json->EndArray().Key("fixed").BeginArray();
  for (const FixedLayer& layer : report.fixed) {
    json->BeginObject().Field("weight", layer.name).Field("reason", layer.reason).EndObject();
  }
  json->EndArray();
}

}  // namespace tamis
