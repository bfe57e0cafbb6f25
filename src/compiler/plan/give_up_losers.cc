#include "src/compiler/plan/give_up_losers.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "src/compiler/plan/plan_key.h"
#include "src/compiler/plan/plan_pair.h"
#include "src/runtime/specialize.h"

namespace tamis {
namespace {

// A plan that is measured again is another plan each time, and the most there is to lose is what a block saves.
constexpr int kMaxRounds = 3;

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
  TAMIS_ASSIGN_OR_RETURN(const DescribedPlan described, DescribePlan(concrete, *point, threads));
  if (!described.differs) return given_up;
  if (const auto known = tuner.FindLosers(described.key + "-plan")) {
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
  tuner.RecordLosers(described.key + "-plan", described.problems.begin()->second, losers);
  // A cache that can't be written ends nothing, and Tune has told of it.
  std::ignore = tuner.SaveCache();
  return given_up;
}

}  // namespace tamis
