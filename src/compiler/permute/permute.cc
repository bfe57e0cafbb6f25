#include "src/compiler/permute/permute.h"

#include <algorithm>
#include <chrono>

#include "src/compiler/permute/permute_prove.h"
#include "src/compiler/permute/permute_vote.h"
#include "src/compiler/permute/permute_voters.h"
#include "src/ir/constant_store.h"

namespace tamis {
namespace {

// A class that lets less than this share more of the saliency through is left as it is.
constexpr double kLeastGain = 1e-4;

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
  TAMIS_ASSIGN_OR_RETURN(const std::vector<WeightLayer> layers, EligibleLayers(simplified, options.keep));
  ChannelTrace trace(simplified);
  const std::vector<ChannelClass> classes = trace.spaces().FindClasses();
  TAMIS_ASSIGN_OR_RETURN(Electorate found, FindVoters(trace, layers, batches, pool->threads(), options.cancelled));
  for (auto& [name, reason] : found.fixed) report.fixed.push_back({std::move(name), std::move(reason)});

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
  ConstantStore::Rest(simplified);
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
