#include "src/compiler/confirm_plan.h"

#include <algorithm>
#include <map>

#include "src/compiler/run_in_turns.h"
#include "src/kernels/problem.h"
#include "src/runtime/benchmark.h"
#include "src/runtime/dynamic_program.h"
#include "src/runtime/specialize.h"

namespace tamis {
namespace {

Result<Graph> At(const Graph& fused, const PlanPoint& point) {
  TAMIS_ASSIGN_OR_RETURN(const auto dims, BoundInputDims(fused, point.binding));
  return Specialize(fused, dims);
}

// With every weight as if it were dense, and the kernels that were fastest so.
Result<KernelsByNode> MakeDense(Graph& concrete, Tuner& tuner) {
  for (size_t i = 0; i < concrete.NumValues(); ++i) concrete.value(static_cast<ValueId>(i)).pattern = Pattern::kDense;
  TAMIS_ASSIGN_OR_RETURN(const auto tuned, tuner.Tune(std::span(&concrete, 1)));
  KernelsByNode kernels;
  for (const TunedNode& node : tuned[0]) kernels[node.node] = node.kernel;
  return kernels;
}

double Median(std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

// Two programs for the same inputs.
struct Pair {
  PackCache cache;
  std::unique_ptr<Program> chosen, dense;
  std::vector<Tensor> inputs;
};

// Runs of both in turns for about `seconds`.
Status Compare(const Pair& pair, ThreadPool& pool, double seconds, PlanComparison* result) {
  const Program* const programs[] = {pair.chosen.get(), pair.dense.get()};
  TAMIS_ASSIGN_OR_RETURN(auto times, RunInTurns(programs, pair.inputs, pool, {.seconds = seconds}));
  result->chosen_seconds = Median(std::move(times[0]));
  result->dense_seconds = Median(std::move(times[1]));
  return {};
}

// nullptr for networks that run node by node, or take other inputs than tensors.
Result<std::unique_ptr<Pair>> MakePair(const Graph& fused, const PlanPoint& point, const Graph& dense, Tuner& tuner,
                                       int threads) {
  const std::vector<TensorSpec> specs = InputSpecs(fused);
  const auto plain = [](const TensorSpec& spec) { return spec.IsTensor() && spec.has_rank; };
  if (!std::all_of(specs.begin(), specs.end(), plain)) return std::unique_ptr<Pair>();
  TAMIS_ASSIGN_OR_RETURN(Graph chosen_graph, At(fused, point));
  TAMIS_ASSIGN_OR_RETURN(Graph dense_graph, At(dense, point));
  if (RunsNodeByNode(chosen_graph) || RunsNodeByNode(dense_graph)) return std::unique_ptr<Pair>();
  KernelsByNode kernels;
  for (const NodePlan& node : point.nodes) kernels[node.node] = node.kernel;
  TAMIS_ASSIGN_OR_RETURN(const KernelsByNode dense_kernels, MakeDense(dense_graph, tuner));
  auto pair = std::make_unique<Pair>();
  TAMIS_ASSIGN_OR_RETURN(pair->chosen, ProgramWith(std::move(chosen_graph), kernels, threads, pair->cache));
  TAMIS_ASSIGN_OR_RETURN(pair->dense, ProgramWith(std::move(dense_graph), dense_kernels, threads, pair->cache));
  TAMIS_ASSIGN_OR_RETURN(NamedTensors named, RandomInputs(specs, point.binding, 1));
  for (const TensorSpec& spec : specs) pair->inputs.push_back(std::move(named.at(spec.name)));
  return pair;
}

// Calls visit(plan of the node, its problem) for the nodes of the point that have sparse weights.
template <class Visit>
Status ForEachSparseNode(const Graph& fused, const PlanPoint& point, int threads, Visit visit) {
  TAMIS_ASSIGN_OR_RETURN(const Graph concrete, At(fused, point));
  std::map<std::string, size_t> by_name;
  for (size_t i = 0; i < point.nodes.size(); ++i) by_name[point.nodes[i].node] = i;
  for (const NodeId id : concrete.NodeIds()) {
    const Node& node = concrete.node(id);
    const ValueId weight = node.input(1);
    if (weight == kNoValue || concrete.value(weight).pattern == Pattern::kDense || !IsConcrete(concrete, node))
      continue;
    const auto found = by_name.find(NameInPlan(concrete, node));
    if (found == by_name.end()) continue;
    TAMIS_ASSIGN_OR_RETURN(const Problem problem, MakeProblem(concrete, node, threads));
    visit(found->second, problem);
  }
  return {};
}

}  // namespace

Result<PlanComparison> CompareWithDense(const Graph& fused, const PlanPoint& point, const Graph& dense, Tuner& tuner,
                                        int threads) {
  PlanComparison comparison;
  TAMIS_ASSIGN_OR_RETURN(const auto pair, MakePair(fused, point, dense, tuner, threads));
  if (pair == nullptr) return comparison;
  ThreadPool pool(threads);
  TAMIS_RETURN_IF_ERROR(Compare(*pair, pool, 0.5, &comparison));
  if (comparison.Loses()) {
    TAMIS_RETURN_IF_ERROR(Compare(*pair, pool, 2, &comparison));
  }
  return comparison;
}

Result<PlanCheck> CheckPlan(const Graph& fused, const PlanPoint& point, Tuner& tuner, int threads) {
  PlanCheck check;
  TAMIS_ASSIGN_OR_RETURN(const auto pair, MakePair(fused, point, fused, tuner, threads));
  if (pair == nullptr) return UserError("networks that run node by node have no plan to check");
  ThreadPool pool(threads);
  TAMIS_RETURN_IF_ERROR(Compare(*pair, pool, 2, &check.whole));
  constexpr int kRounds = 30;
  std::map<std::string, std::pair<std::vector<double>, std::vector<double>>> seconds;
  for (int round = 0; round < kRounds; ++round) {
    TAMIS_ASSIGN_OR_RETURN(const auto chosen, pair->chosen->Profile(pair->inputs, 1, pool));
    TAMIS_ASSIGN_OR_RETURN(const auto dense, pair->dense->Profile(pair->inputs, 1, pool));
    for (const auto& node : chosen) seconds[node.name].first.push_back(node.seconds);
    for (const auto& node : dense) seconds[node.name].second.push_back(node.seconds);
    if (round + 1 < kRounds) continue;
    std::map<std::string, std::string> dense_kernels;
    for (const auto& node : dense) dense_kernels[node.name] = node.tactic;
    check.nodes = static_cast<int>(chosen.size());
    for (const auto& node : chosen) {
      auto& [ours, others] = seconds[node.name];
      if (dense_kernels[node.name] == node.tactic || others.empty()) continue;
      check.layers.push_back({node.name, node.op, node.tactic, dense_kernels[node.name], Median(std::move(ours)),
                              Median(std::move(others))});
    }
  }
  return check;
}

bool NeedsTwoFour(const std::string& kernel_name, Problem problem) {
  const KernelDef* kernel = FindKernel(kernel_name);
  if (kernel == nullptr || problem.inputs.size() < 2 || problem.inputs[1].pattern == Pattern::kDense) return false;
  problem.inputs[1].pattern = Pattern::kDense;
  return !kernel->supports(problem).ok();
}

Result<bool> UsesSparseKernels(const Graph& fused, const PlanPoint& point, int threads) {
  bool uses = false;
  TAMIS_RETURN_IF_ERROR(ForEachSparseNode(fused, point, threads, [&](size_t at, const Problem& problem) {
    uses = uses || NeedsTwoFour(point.nodes[at].kernel, problem);
  }));
  return uses;
}

Result<int> KeepDenseKernels(const Graph& fused, PlanPoint* point, int threads) {
  int changed = 0;
  TAMIS_RETURN_IF_ERROR(ForEachSparseNode(fused, *point, threads, [&](size_t at, const Problem& problem) {
    NodePlan& node = point->nodes[at];
    if (!NeedsTwoFour(node.kernel, problem)) return;
    Candidate* best = nullptr;
    Candidate* sparse = nullptr;
    for (Candidate& candidate : node.candidates) {
      if (candidate.kernel == node.kernel) sparse = &candidate;
      if (candidate.seconds <= 0 || NeedsTwoFour(candidate.kernel, problem)) continue;
      if (best == nullptr || candidate.seconds < best->seconds) best = &candidate;
    }
    if (best == nullptr) return;
    if (sparse != nullptr) sparse->reason = "faster alone, but the network as a whole was slower with 2:4 kernels";
    best->reason.clear();
    node.kernel = best->kernel;
    node.seconds = best->seconds;
    ++changed;
  }));
  return changed;
}

}  // namespace tamis
