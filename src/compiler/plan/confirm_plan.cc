#include "src/compiler/plan/confirm_plan.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "src/base/median.h"
#include "src/compiler/measure/run_in_turns.h"
#include "src/kernels/problem.h"
#include "src/runtime/benchmark.h"
#include "src/runtime/dynamic_program.h"
#include "src/runtime/plan_choice.h"
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

// Two programs for the same inputs.
struct Pair {
  PackCache cache;
  std::unique_ptr<Program> chosen, dense;
  std::map<std::string, std::vector<std::string>> blocks;  // of `chosen`: the layers, by the last one's name
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

// The nodes that the two compute with different kernels: medians of each inside whole runs, in turns.
Result<std::vector<LayerComparison>> CompareLayers(const Pair& pair, ThreadPool& pool, const Turns& turns) {
  using Clock = std::chrono::steady_clock;
  std::vector<LayerComparison> layers;  // in the order of the network
  std::map<std::string, std::pair<std::vector<double>, std::vector<double>>> seconds;
  std::map<std::string, std::string> dense_kernels;
  const auto layers_of = [&](const std::string& node) {
    const auto block = pair.blocks.find(node);
    return block == pair.blocks.end() ? std::vector<std::string>{node} : block->second;
  };
  const auto deadline = Clock::now() + std::chrono::duration<double>(turns.seconds);
  for (int round = 0; round < turns.least || (round < turns.most && Clock::now() < deadline); ++round) {
    TAMIS_ASSIGN_OR_RETURN(const auto chosen, pair.chosen->Profile(pair.inputs, 1, pool));
    TAMIS_ASSIGN_OR_RETURN(const auto dense, pair.dense->Profile(pair.inputs, 1, pool));
    for (const auto& node : chosen) {
      seconds[node.name].first.push_back(node.seconds);
      if (round == 0) layers.push_back({node.name, node.op, node.tactic, "", 0, 0});
    }
    std::map<std::string, double> dense_seconds;
    for (const auto& node : dense) {
      dense_seconds[node.name] = node.seconds;
      if (round == 0) dense_kernels[node.name] = node.tactic;
    }
    for (const auto& node : chosen) {
      double sum = 0;
      for (const std::string& layer : layers_of(node.name)) sum += dense_seconds[layer];
      seconds[node.name].second.push_back(sum);
    }
  }
  std::vector<LayerComparison> differing;
  for (LayerComparison& layer : layers) {
    auto& [ours, others] = seconds[layer.node];
    layer.dense_kernel.clear();
    for (const std::string& one : layers_of(layer.node)) {
      layer.dense_kernel += (layer.dense_kernel.empty() ? "" : ", ") + dense_kernels[one];
    }
    if (layer.dense_kernel.empty() || layer.chosen_kernel == layer.dense_kernel) continue;
    layer.chosen_seconds = Median(std::move(ours));
    layer.dense_seconds = Median(std::move(others));
    differing.push_back(std::move(layer));
  }
  return differing;
}

// nullptr for networks that run node by node, or take other inputs than tensors.
Result<std::unique_ptr<Pair>> MakePair(const Graph& fused, const PlanPoint& point, const Graph& dense, Tuner& tuner,
                                       int threads) {
  const std::vector<TensorSpec> specs = InputSpecs(fused);
  if (!AreTensors(specs)) return std::unique_ptr<Pair>();
  TAMIS_ASSIGN_OR_RETURN(Graph chosen_graph, At(fused, point));
  TAMIS_ASSIGN_OR_RETURN(Graph dense_graph, At(dense, point));
  if (RunsNodeByNode(chosen_graph) || RunsNodeByNode(dense_graph)) return std::unique_ptr<Pair>();
  KernelsByNode kernels;
  for (const NodePlan& node : point.nodes) kernels[node.node] = node.kernel;
  TAMIS_ASSIGN_OR_RETURN(const KernelsByNode dense_kernels, MakeDense(dense_graph, tuner));
  auto pair = std::make_unique<Pair>();
  for (const BlockPlan& block : point.blocks) pair->blocks[block.layers.back()] = block.layers;
  // In the same memory: where it lies alone makes a tenth of a layer's time.
  const auto arenas = std::make_shared<ArenaPool>();
  TAMIS_ASSIGN_OR_RETURN(pair->chosen,
                         ProgramWith(std::move(chosen_graph), kernels, threads, pair->cache, BlocksOf(point), arenas));
  TAMIS_ASSIGN_OR_RETURN(pair->dense,
                         ProgramWith(std::move(dense_graph), dense_kernels, threads, pair->cache, {}, arenas));
  TAMIS_ASSIGN_OR_RETURN(pair->inputs, RandomOperands(specs, point.binding, 1));
  return pair;
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
  TAMIS_ASSIGN_OR_RETURN(check.layers, CompareLayers(*pair, pool, {.seconds = 10, .least = 30, .most = 30}));
  check.nodes = static_cast<int>(point.nodes.size());
  return check;
}

Result<bool> MeasureSparseInNetwork(const Graph& fused, const PlanPoint& point, Tuner& tuner, int threads,
                                    const std::function<void()>& begin) {
  TAMIS_ASSIGN_OR_RETURN(const Graph concrete, At(fused, point));
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
  TAMIS_ASSIGN_OR_RETURN(const auto pair, MakePair(fused, point, fused, tuner, threads));
  if (pair == nullptr) return false;
  ThreadPool pool(threads);
  TAMIS_ASSIGN_OR_RETURN(const auto layers, CompareLayers(*pair, pool, {.seconds = 1.5, .least = 9, .most = 60}));
  struct Ratios {
    const Problem* problem;
    std::string kernel;
    std::vector<double> values;
  };
  std::map<std::string, Ratios> by_problem;
  for (const LayerComparison& layer : layers) {
    const auto found = unknown.find(layer.node);
    if (found == unknown.end()) continue;
    Ratios& ratios = by_problem[TimingCache::Key(found->second) + layer.chosen_kernel];
    ratios.problem = &found->second;
    ratios.kernel = layer.chosen_kernel;
    ratios.values.push_back(layer.chosen_seconds / layer.dense_seconds);
  }
  for (auto& [key, ratios] : by_problem) {
    tuner.RecordInNetwork(*ratios.problem, ratios.kernel, Median(std::move(ratios.values)));
  }
  return !by_problem.empty();
}

}  // namespace tamis
