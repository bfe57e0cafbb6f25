#include "src/compiler/plan/micro_batch_trial.h"

#include <algorithm>
#include <array>
#include <set>
#include <tuple>

#include "src/base/median.h"
#include "src/compiler/measure/run_in_turns.h"
#include "src/compiler/plan/plan_key.h"
#include "src/runtime/benchmark.h"
#include "src/runtime/plan_choice.h"
#include "src/runtime/specialize.h"

namespace tamis {
namespace {

// No gain is asked for: at the same time parts take a fraction of the memory.
constexpr double kMostRatio = 1;
// At the least: the whole batch and parts of it, then twice the whole batch in both forms.
constexpr int kLeastRuns = 4 * kLeastRounds;

// Neighbours on the machine only add to a run, and a run that is bound by memory hides more of what they take than one
// that is bound by products, so that medians compare the neighbours.
double Calm(std::vector<double> seconds) {
  return Quantile(std::move(seconds), 0.25);
}

double Sum(const NodeSeconds& seconds, std::span<const std::string> nodes) {
  double sum = 0;
  for (const std::string& node : nodes) {
    const auto found = seconds.find(node);
    if (found != seconds.end()) sum += Calm(found->second);
  }
  return sum;
}

// `whole` with the choices of `part`, times `parts`, for the layers before the cut. Blocks that lie on both sides of it
// are given up.
PlanPoint Joined(const PlanPoint& whole, const PlanPoint& part, int64_t parts, const MicroBatchCut& cut) {
  const std::set<std::string> before(cut.layers.begin(), cut.layers.end());
  const auto times = static_cast<double>(parts);
  std::map<std::string, const NodePlan*> of_part;
  for (const NodePlan& node : part.nodes) of_part[node.node] = &node;
  PlanPoint joined;
  joined.binding = whole.binding;
  joined.micro_batches = {cut.spec.entries, cut.spec.results};
  for (const NodePlan& node : whole.nodes) {
    const auto found = of_part.find(node.node);
    const bool is_before = before.count(node.node) != 0 && found != of_part.end();
    NodePlan& taken = joined.nodes.emplace_back(is_before ? *found->second : node);
    if (!is_before) continue;
    taken.seconds *= times;
    for (Candidate& candidate : taken.candidates) candidate.seconds *= times;
  }
  const auto is_before = [&](const std::string& layer) { return before.count(layer) != 0; };
  for (const BlockPlan& block : part.blocks) {
    if (!std::all_of(block.layers.begin(), block.layers.end(), is_before)) continue;
    BlockPlan& taken = joined.blocks.emplace_back(block);
    taken.seconds *= times;
    taken.layer_seconds *= times;
  }
  for (const BlockPlan& block : whole.blocks) {
    if (std::none_of(block.layers.begin(), block.layers.end(), is_before)) joined.blocks.push_back(block);
  }
  return joined;
}

class Trial {
 public:
  Trial(const Graph& fused, Tuner& tuner, int threads, const PartPlan& part, PlanPoint* point)
      : fused_(fused), tuner_(tuner), threads_(threads), part_(part), point_(*point), pool_(threads) {}

  Result<MicroBatchVerdict> Run(const std::function<void()>& begin) {
    MicroBatchVerdict verdict;
    TAMIS_ASSIGN_OR_RETURN(concrete_, SpecializeAt(fused_, point_.binding));
    TAMIS_ASSIGN_OR_RETURN(concrete_part_, SpecializeAt(part_.graph, {}));
    const int64_t entries = EntriesTogether(concrete_, threads_);
    parts_ = PartsOfBatch(concrete_, entries);
    cuts_ = MicroBatchCuts(concrete_, entries);
    if (cuts_.empty()) return verdict;
    TAMIS_ASSIGN_OR_RETURN(const DescribedPlan whole_plan, DescribePlan(concrete_, point_, threads_));
    TAMIS_ASSIGN_OR_RETURN(const DescribedPlan part_plan, DescribePlan(concrete_part_, part_.point, threads_));
    const std::string key = whole_plan.key + part_plan.key + "-micro";
    const MicroBatchCut* chosen = nullptr;
    if (const auto known = tuner_.FindCut(key)) {
      if (*known > 0 && *known <= cuts_.size()) chosen = &cuts_[*known - 1];
      verdict.reason = "known from an earlier build";
    } else {
      const bool long_runs = RunsToSpare(point_) < kLeastRuns;
      if (long_runs) verdict.reason = TooLongToTry(point_, kLeastRuns);
      if (tuner_.TimeIsUp() || long_runs) return verdict;
      if (begin) begin();
      TAMIS_ASSIGN_OR_RETURN(chosen, Measure(&verdict.reason));
      const size_t cut = chosen == nullptr ? 0 : static_cast<size_t>(chosen - cuts_.data()) + 1;
      tuner_.RecordCut(key, whole_plan.problems.begin()->second, cut);
      std::ignore = tuner_.SaveCache();  // Tune has told of a cache that can't be written
    }
    verdict.measured = true;
    if (chosen == nullptr) return verdict;
    verdict.chosen = true;
    verdict.last = chosen->layers.back();
    point_ = Joined(point_, part_.point, parts_, *chosen);
    return verdict;
  }

 private:
  Result<std::unique_ptr<Program>> MakeProgram(const Graph& concrete, const PlanPoint& point) {
    KernelsByNode kernels;
    for (const NodePlan& node : point.nodes) kernels[node.node] = node.kernel;
    return ProgramWith(concrete.Clone(), kernels, threads_, cache_, BlocksOf(point), arenas_, MicroBatchesOf(point));
  }

  // The cut that saves most, layer by layer; null if none does, or whole runs are not faster.
  Result<const MicroBatchCut*> Measure(std::string* reason) {
    const MicroBatchCut* const none = nullptr;
    TAMIS_ASSIGN_OR_RETURN(const auto whole, MakeProgram(concrete_, point_));
    TAMIS_ASSIGN_OR_RETURN(const auto part, MakeProgram(concrete_part_, part_.point));
    TAMIS_ASSIGN_OR_RETURN(const auto inputs, RandomOperands(InputSpecs(fused_), point_.binding, 1));
    TAMIS_ASSIGN_OR_RETURN(const auto part_inputs, RandomOperands(InputSpecs(concrete_part_), {}, 1));
    // Values of the whole network that every part reads are made up here, and need not be valid (indices, say).
    if (const Status status = part->Run(part_inputs, pool_).status(); !status.ok()) {
      *reason = "a part alone can't be timed: " + status.message();
      return none;
    }
    // Parts follow one another in the program to come too: the second of two finds what the first left in the caches.
    const ProgramRun of_whole = {whole.get(), inputs}, of_part = {part.get(), part_inputs};
    const std::array runs = {of_whole, of_part, of_part};
    TAMIS_ASSIGN_OR_RETURN(const auto nodes, NodesInTurns(runs, pool_, {.seconds = 2, .least = 4, .most = 30}));
    const NodeSeconds &whole_seconds = nodes[0], &part_seconds = nodes[2];
    const MicroBatchCut* best = nullptr;
    double saved = 0;
    for (const MicroBatchCut& cut : cuts_) {
      const double here = Sum(whole_seconds, cut.layers) - static_cast<double>(parts_) * Sum(part_seconds, cut.layers);
      if (here <= saved) continue;
      saved = here;
      best = &cut;
    }
    if (best == nullptr) {
      *reason = "no layers are faster for a part of the batch";
      return none;
    }
    TAMIS_ASSIGN_OR_RETURN(const auto joined, MakeProgram(concrete_, Joined(point_, part_.point, parts_, *best)));
    const Program* const programs[] = {whole.get(), joined.get()};
    double ratio = 0;
    for (const double seconds : {1.0, 2.0}) {  // noise may make a winner lose, but seldom twice
      TAMIS_ASSIGN_OR_RETURN(auto times, RunInTurns(programs, inputs, pool_, {.seconds = seconds, .least = 6}));
      ratio = Calm(std::move(times[1])) / Calm(std::move(times[0]));
      if (ratio <= kMostRatio) break;
    }
    *reason =
        fmt::format("{} parts of {} take {:.2f} times the time of the whole batch", parts_, best->spec.entries, ratio);
    return ratio <= kMostRatio ? best : none;
  }

  const Graph& fused_;
  Tuner& tuner_;
  int threads_;
  const PartPlan& part_;
  PlanPoint& point_;
  ThreadPool pool_;
  Graph concrete_, concrete_part_;
  int64_t parts_ = 1;
  std::vector<MicroBatchCut> cuts_;
  PackCache cache_;
  std::shared_ptr<ArenaPool> arenas_ = std::make_shared<ArenaPool>();
};

}  // namespace

Result<MicroBatchVerdict> ChooseMicroBatches(const Graph& fused, Tuner& tuner, int threads, const PartPlan& part,
                                             PlanPoint* point, const std::function<void()>& begin) {
  return Trial(fused, tuner, threads, part, point).Run(begin);
}

}  // namespace tamis
