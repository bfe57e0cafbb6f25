#include "src/compiler/plan/give_up_losers.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "src/base/hash.h"
#include "src/compiler/plan/plan_pair.h"
#include "src/kernels/kernel_revision.h"
#include "src/kernels/problem.h"
#include "src/runtime/specialize.h"

namespace tamis {
namespace {

// A plan that is measured again is another plan each time, and the most there is to lose is what a block saves.
constexpr int kMaxRounds = 3;

// A plan's nodes as problems, and a name for the whole of it.
struct Described {
  std::map<std::string, Problem> problems;  // by node
  std::string key;
  bool differs = false;  // from the all-dense plan
};

Result<Described> Describe(const Graph& concrete, const PlanPoint& point, int threads) {
  Described described;
  for (const NodeId id : concrete.NodeIds()) {
    const Node& node = concrete.node(id);
    if (!IsConcrete(concrete, node)) continue;
    TAMIS_ASSIGN_OR_RETURN(Problem problem, MakeProblem(concrete, node, threads));
    described.problems.emplace(NameInPlan(concrete, node), std::move(problem));
  }
  std::string text;
  const auto add_kernel = [&](const std::string& kernel) {
    text += fmt::format(" {}/{:x}", kernel, KernelRevision(kernel));
  };
  for (const NodePlan& node : point.nodes) {
    const auto found = described.problems.find(node.node);
    if (found == described.problems.end()) continue;
    text += "\n" + TimingCache::Key(found->second);
    add_kernel(node.kernel);
    for (const Candidate& candidate : node.candidates) {
      if (candidate.seconds > 0) add_kernel(candidate.kernel);  // one of them takes its place
    }
    described.differs = described.differs || NeedsTwoFour(node.kernel, found->second);
  }
  for (const BlockPlan& block : point.blocks) {
    text += "\nblock";
    for (const std::string& layer : block.layers) text += " " + layer;
    for (const std::string& kernel : block.kernels) add_kernel(kernel);
    described.differs = true;
  }
  described.key = HexString(Hash64(text)) + HexString(Hash64(text, 1)) + "-plan";
  return described;
}

// Gives up the block that ends with this node, or the node's kernel.
GivenUp Apply(const PlanLoser& loser, PlanPoint* point) {
  NodePlan& node = point->nodes[loser.node];
  if (loser.kernel.empty()) {
    std::erase_if(point->blocks, [&](const BlockPlan& block) { return block.layers.back() == node.node; });
    return {node.node, true, 0};
  }
  for (Candidate& candidate : node.candidates) {
    if (candidate.kernel == node.kernel) candidate.reason = "slower than the dense kernel in this place of the network";
    if (candidate.kernel != loser.kernel) continue;
    candidate.reason.clear();
    node.seconds = candidate.seconds;
  }
  node.kernel = loser.kernel;
  return {node.node, false, 0};
}

// What was no faster than dense in two looks, each in memory of its own.
Result<std::vector<LayerComparison>> FindLosers(const Graph& fused, const PlanPoint& point, Tuner& tuner, int threads,
                                                ThreadPool& pool) {
  std::vector<LayerComparison> losers;
  TAMIS_ASSIGN_OR_RETURN(const auto pair, MakePlanPair(fused, point, fused, tuner, threads));
  if (pair == nullptr) return losers;
  const auto no_faster = [](const LayerComparison& layer) { return layer.chosen_seconds >= layer.dense_seconds; };
  TAMIS_ASSIGN_OR_RETURN(const auto first, CompareLayers(*pair, pool, {.seconds = 1, .least = 5, .most = 60}));
  if (std::none_of(first.differing.begin(), first.differing.end(), no_faster)) return losers;
  // The first one stays meanwhile: the second must lie elsewhere, as where weights lie is worth some per cent.
  TAMIS_ASSIGN_OR_RETURN(const auto elsewhere, MakePlanPair(fused, point, fused, tuner, threads));
  TAMIS_ASSIGN_OR_RETURN(const auto second, CompareLayers(*elsewhere, pool, {.seconds = 2, .least = 9, .most = 120}));
  for (const LayerComparison& layer : first.differing) {
    const LayerComparison* again = no_faster(layer) ? second.Find(layer.node) : nullptr;
    if (again != nullptr && no_faster(*again)) losers.push_back(*again);
  }
  return losers;
}

}  // namespace

Result<std::vector<GivenUp>> GiveUpLosers(const Graph& fused, Tuner& tuner, int threads, PlanPoint* point,
                                          const std::function<void()>& begin) {
  std::vector<GivenUp> given_up;
  TAMIS_ASSIGN_OR_RETURN(const Graph concrete, SpecializeAt(fused, point->binding));
  TAMIS_ASSIGN_OR_RETURN(const Described described, Describe(concrete, *point, threads));
  if (!described.differs) return given_up;
  if (const auto known = tuner.FindLosers(described.key)) {
    for (const PlanLoser& loser : *known) {
      if (loser.node < point->nodes.size()) given_up.push_back(Apply(loser, point));
    }
    return given_up;
  }
  if (tuner.TimeIsUp()) return given_up;
  if (begin) begin();
  ThreadPool pool(threads);
  std::vector<PlanLoser> losers;
  for (int round = 0; round < kMaxRounds; ++round) {
    TAMIS_ASSIGN_OR_RETURN(const auto found, FindLosers(fused, *point, tuner, threads, pool));
    for (const LayerComparison& layer : found) {
      const auto node = std::find_if(point->nodes.begin(), point->nodes.end(),
                                     [&](const NodePlan& one) { return one.node == layer.node; });
      if (node == point->nodes.end()) continue;
      losers.push_back({static_cast<size_t>(node - point->nodes.begin()), layer.block ? "" : layer.dense_kernel});
      given_up.push_back(Apply(losers.back(), point));
      given_up.back().ratio = layer.Ratio();
    }
    if (found.empty()) break;
  }
  tuner.RecordLosers(described.key, described.problems.begin()->second, losers);
  // A cache that can't be written ends nothing, and Tune has told of it.
  std::ignore = tuner.SaveCache();
  return given_up;
}

}  // namespace tamis
