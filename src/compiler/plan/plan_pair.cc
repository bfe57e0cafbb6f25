#include "src/compiler/plan/plan_pair.h"

#include <algorithm>

#include "src/base/median.h"
#include "src/runtime/benchmark.h"
#include "src/runtime/dynamic_program.h"
#include "src/runtime/plan_choice.h"
#include "src/runtime/specialize.h"

namespace tamis {
namespace {

// With every weight as if it were dense, and the kernels that were fastest so: of layers that run for parts of the
// batch for a part.
Result<KernelsByNode> MakeDense(Graph& concrete, const MicroBatchSpec& micro_batches, Tuner& tuner) {
  for (size_t i = 0; i < concrete.NumValues(); ++i) concrete.value(static_cast<ValueId>(i)).pattern = Pattern::kDense;
  std::vector<Graph> graphs;
  graphs.push_back(concrete.Clone());
  if (FormMicroBatches(graphs[0], micro_batches)) {
    for (const NodeId id : graphs[0].NodeIds()) {
      const Node& node = graphs[0].node(id);
      if (node.IsTamis(kMicroBatches)) graphs.push_back(node.regions[0].body->Clone());
    }
  }
  TAMIS_ASSIGN_OR_RETURN(const auto tuned, tuner.Tune(graphs));
  KernelsByNode kernels;
  for (const auto& nodes : tuned) {
    for (const TunedNode& node : nodes) kernels[node.node] = node.kernel;
  }
  return kernels;
}

// What one side was measured to take, by node.
struct Side {
  std::map<std::string, std::vector<double>> seconds;
  std::map<std::string, std::string> kernels;

  // Round 0 is a warm-up: who runs first in it meets every page of the memory that both share.
  Status Run(int round, const Program& program, const PlanPair& pair, ThreadPool& pool,
             std::vector<LayerComparison>* layers = nullptr) {
    TAMIS_ASSIGN_OR_RETURN(const auto nodes, program.Profile(pair.inputs, 1, pool));
    for (const auto& node : nodes) {
      if (round > 0) {
        seconds[node.name].push_back(node.seconds);
        continue;
      }
      kernels[node.name] = node.tactic;
      if (layers != nullptr) layers->push_back({node.name, node.op, node.tactic, "", false, 0, 0});
    }
    return {};
  }
};

}  // namespace

const LayerComparison* LayerComparisons::Find(const std::string& node) const {
  const auto found = std::find_if(differing.begin(), differing.end(),
                                  [&](const LayerComparison& layer) { return layer.node == node; });
  return found == differing.end() ? nullptr : &*found;
}

Result<std::unique_ptr<PlanPair>> MakePlanPair(const Graph& fused, const PlanPoint& point, const Graph& dense,
                                               Tuner& tuner, int threads) {
  const std::vector<TensorSpec> specs = InputSpecs(fused);
  if (!AreTensors(specs)) return std::unique_ptr<PlanPair>();
  TAMIS_ASSIGN_OR_RETURN(Graph chosen_graph, SpecializeAt(fused, point.binding));
  TAMIS_ASSIGN_OR_RETURN(Graph dense_graph, SpecializeAt(dense, point.binding));
  if (RunsNodeByNode(chosen_graph) || RunsNodeByNode(dense_graph)) return std::unique_ptr<PlanPair>();
  KernelsByNode kernels;
  for (const NodePlan& node : point.nodes) kernels[node.node] = node.kernel;
  TAMIS_ASSIGN_OR_RETURN(const KernelsByNode dense_kernels, MakeDense(dense_graph, MicroBatchesOf(point), tuner));
  auto pair = std::make_unique<PlanPair>();
  for (const BlockPlan& block : point.blocks) pair->blocks[block.layers.back()] = block.layers;
  // In the same memory: where it lies alone makes a tenth of a layer's time.
  const auto arenas = std::make_shared<ArenaPool>();
  TAMIS_ASSIGN_OR_RETURN(pair->chosen, ProgramWith(std::move(chosen_graph), kernels, threads, pair->cache,
                                                   BlocksOf(point), arenas, MicroBatchesOf(point)));
  TAMIS_ASSIGN_OR_RETURN(pair->dense, ProgramWith(std::move(dense_graph), dense_kernels, threads, pair->cache, {},
                                                  arenas, MicroBatchesOf(point)));
  TAMIS_ASSIGN_OR_RETURN(pair->inputs, RandomOperands(specs, point.binding, 1));
  return pair;
}

Result<PlanComparison> CompareWhole(const PlanPair& pair, ThreadPool& pool, double seconds) {
  const Program* const programs[] = {pair.chosen.get(), pair.dense.get()};
  TAMIS_ASSIGN_OR_RETURN(auto times, RunInTurns(programs, pair.inputs, pool, {.seconds = seconds}));
  return PlanComparison{Median(std::move(times[0])), Median(std::move(times[1]))};
}

Result<LayerComparisons> CompareLayers(const PlanPair& pair, ThreadPool& pool, const Turns& turns) {
  std::vector<LayerComparison> layers;
  Side chosen, dense;
  TAMIS_RETURN_IF_ERROR(ForRounds(turns, [&](int round) -> Status {
    if (round % 2 == 1) TAMIS_RETURN_IF_ERROR(dense.Run(round, *pair.dense, pair, pool));
    TAMIS_RETURN_IF_ERROR(chosen.Run(round, *pair.chosen, pair, pool, &layers));
    if (round % 2 == 0) TAMIS_RETURN_IF_ERROR(dense.Run(round, *pair.dense, pair, pool));
    return {};
  }));
  LayerComparisons found;
  for (LayerComparison& layer : layers) {
    const auto block = pair.blocks.find(layer.node);
    layer.block = block != pair.blocks.end();
    const std::vector<std::string> parts = layer.block ? block->second : std::vector<std::string>{layer.node};
    std::vector<double> sums(dense.seconds[parts[0]].size(), 0);
    for (const std::string& part : parts) {
      layer.dense_kernel += (layer.dense_kernel.empty() ? "" : ", ") + dense.kernels[part];
      const std::vector<double>& times = dense.seconds[part];
      for (size_t i = 0; i < std::min(sums.size(), times.size()); ++i) sums[i] += times[i];
    }
    if (sums.empty() || layer.dense_kernel.empty()) continue;
    layer.chosen_seconds = Median(std::move(chosen.seconds[layer.node]));
    layer.dense_seconds = Median(std::move(sums));
    if (layer.chosen_kernel != layer.dense_kernel) {
      found.differing.push_back(std::move(layer));
    } else if (layer.dense_seconds > 0) {
      ++found.same.count;
      found.same.slower += layer.Loses() ? 1 : 0;
      found.same.highest = std::max(found.same.highest, layer.Ratio());
    }
  }
  return found;
}

}  // namespace tamis
