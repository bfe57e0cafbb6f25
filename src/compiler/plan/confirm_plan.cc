#include "src/compiler/plan/confirm_plan.h"

#include <algorithm>
#include <map>
#include <string>

#include "src/base/median.h"
#include "src/kernels/problem.h"
#include "src/runtime/specialize.h"

namespace tamis {

Result<PlanComparison> CompareWithDense(const Graph& fused, const PlanPoint& point, const Graph& dense, Tuner& tuner,
                                        int threads) {
  TAMIS_ASSIGN_OR_RETURN(const auto pair, MakePlanPair(fused, point, dense, tuner, threads));
  if (pair == nullptr) return PlanComparison();
  ThreadPool pool(threads);
  TAMIS_ASSIGN_OR_RETURN(PlanComparison comparison, CompareWhole(*pair, pool, 0.5));
  if (comparison.Loses()) {
    TAMIS_ASSIGN_OR_RETURN(comparison, CompareWhole(*pair, pool, 2));
  }
  return comparison;
}

Result<PlanCheck> CheckPlan(const Graph& fused, const PlanPoint& point, Tuner& tuner, int threads) {
  PlanCheck check;
  TAMIS_ASSIGN_OR_RETURN(const auto pair, MakePlanPair(fused, point, fused, tuner, threads));
  if (pair == nullptr) return UserError("networks that run node by node have no plan to check");
  ThreadPool pool(threads);
  TAMIS_ASSIGN_OR_RETURN(check.whole, CompareWhole(*pair, pool, 2));
  TAMIS_ASSIGN_OR_RETURN(LayerComparisons once, CompareLayers(*pair, pool, {.seconds = 2, .least = 10, .most = 30}));
  const auto longer = [](const LayerComparison& layer) { return layer.chosen_seconds > layer.dense_seconds; };
  if (std::any_of(once.differing.begin(), once.differing.end(), longer)) {
    TAMIS_ASSIGN_OR_RETURN(const auto elsewhere, MakePlanPair(fused, point, fused, tuner, threads));
    TAMIS_ASSIGN_OR_RETURN(const LayerComparisons again,
                           CompareLayers(*elsewhere, pool, {.seconds = 6, .least = 30, .most = 100}));
    for (LayerComparison& layer : once.differing) {
      const LayerComparison* second = longer(layer) ? again.Find(layer.node) : nullptr;
      if (second != nullptr) layer = *second;
    }
    once.same = again.same;
  }
  check.layers = std::move(once.differing);
  check.same = once.same;
  check.nodes = static_cast<int>(point.nodes.size());
  return check;
}

Result<bool> MeasureSparseInNetwork(const Graph& fused, const PlanPoint& point, Tuner& tuner, int threads,
                                    const std::function<void()>& begin) {
  TAMIS_ASSIGN_OR_RETURN(const Graph concrete, SpecializeAt(fused, point.binding));
  std::map<std::string, std::string> kernels;
  for (const NodePlan& node : point.nodes) kernels[node.node] = node.kernel;
  std::map<std::string, Problem> unknown;  // by node
  for (const NodeId id : concrete.NodeIds()) {
    const Node& node = concrete.node(id);
    const ValueId weight = node.input(1);
    if (weight == kNoValue || concrete.value(weight).pattern == Pattern::kDense || !IsConcrete(concrete, node)) {
      continue;
    }
    const std::string name = NameInPlan(concrete, node);
    TAMIS_ASSIGN_OR_RETURN(Problem problem, MakeProblem(concrete, node, threads));
    if (!NeedsTwoFour(kernels[name], problem) || tuner.KnowsInNetwork(problem, kernels[name])) continue;
    unknown.emplace(name, std::move(problem));
  }
  if (unknown.empty()) return false;
  if (begin) begin();
  TAMIS_ASSIGN_OR_RETURN(const auto pair, MakePlanPair(fused, point, fused, tuner, threads));
  if (pair == nullptr) return false;
  ThreadPool pool(threads);
  TAMIS_ASSIGN_OR_RETURN(const auto layers, CompareLayers(*pair, pool, {.seconds = 1.5, .least = 9, .most = 60}));
  struct Ratios {
    const Problem* problem;
    std::string kernel;
    std::vector<double> values;
  };
  std::map<std::string, Ratios> by_problem;
  for (const LayerComparison& layer : layers.differing) {
    const auto found = unknown.find(layer.node);
    if (found == unknown.end()) continue;
    Ratios& ratios = by_problem[TimingCache::Key(found->second) + layer.chosen_kernel];
    ratios.problem = &found->second;
    ratios.kernel = layer.chosen_kernel;
    ratios.values.push_back(layer.Ratio());
  }
  for (auto& [key, ratios] : by_problem) {
    tuner.RecordInNetwork(*ratios.problem, ratios.kernel, Median(std::move(ratios.values)));
  }
  return !by_problem.empty();
}

}  // namespace tamis
