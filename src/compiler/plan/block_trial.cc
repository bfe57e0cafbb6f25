#include "src/compiler/plan/block_trial.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "src/base/median.h"
#include "src/compiler/measure/run_in_turns.h"
#include "src/kernels/block/row_block.h"
#include "src/kernels/problem.h"
#include "src/runtime/benchmark.h"
#include "src/runtime/dynamic_program.h"
#include "src/runtime/plan_choice.h"
#include "src/runtime/specialize.h"

namespace tamis {
namespace {

// Longer blocks would need more of the cache for their weights than they save. (A product, what widens its codes, adds
// to them, norms and narrows them are five.)
constexpr size_t kMaxLayers = 5;
// What a block must gain before it is worth a choice: noise of the measurement.
constexpr double kLeastGain = 0.98;
// The fastest kernel of a layer may not run by rows. The fastest that does may be slower by so much, and the kernels of
// a whole block by so much: inside it they need not write to far away.
constexpr double kSlowerLayer = 2.5, kSlowerBlock = 1.5;

// A node as a layer of blocks.
struct Layer {
  std::string name;
  Problem problem;
  std::string kernel;  // the fastest that runs by rows; empty: none
  double seconds = 0, seconds_by_rows = 0;
};

// Layers [begin, end) of a run.
struct Segment {
  std::vector<Problem> problems;
  BlockPlan plan;
  std::string key;   // equal for equal problems and kernels
  std::string kind;  // equal too where only scales and the like differ: networks repeat their blocks, which gain alike
  size_t run = 0, begin = 0, end = 0;
  int64_t samples = 0;  // runs that were timed now; 0: found in the cache
};

std::string KindOf(const Problem& problem) {
  std::string text = problem.node->op + problem.node->String("activation", "");
  for (const std::vector<Operand>* operands : {&problem.inputs, &problem.outputs}) {
    for (const Operand& operand : *operands) {
      text += fmt::format(" {}{}{}", Name(operand.dtype), ToString(operand.dims), Name(operand.pattern));
    }
  }
  return text;
}

class Trial {
 public:
  Trial(const Graph& fused, Tuner& tuner, int threads, PlanPoint* point)
      : fused_(fused), tuner_(tuner), threads_(threads), point_(*point), pool_(threads) {
    for (const NodePlan& node : point_.nodes) kernels_[node.node] = node.kernel;
  }

  Result<std::vector<BlockVerdict>> Run(const std::function<void()>& begin) {
    point_.blocks.clear();
    const std::vector<TensorSpec> specs = InputSpecs(fused_);
    if (!AreTensors(specs)) return std::vector<BlockVerdict>();
    TAMIS_ASSIGN_OR_RETURN(concrete_, SpecializeAt(fused_, point_.binding));
    if (RunsNodeByNode(concrete_)) return std::vector<BlockVerdict>();
    TAMIS_RETURN_IF_ERROR(FindLayers());
    FindSegments();
    std::vector<Segment*> unknown;
    for (Segment& segment : segments_) {
      if (const auto known = tuner_.FindBlock(segment.problems, segment.plan.kernels)) {
        segment.plan.seconds = *known;
      } else {
        unknown.push_back(&segment);
      }
    }
    std::vector<Group> groups = Apart(unknown);
    // A program each, and one without blocks. The first groups have the shortest blocks.
    const auto most = static_cast<size_t>(std::max(0, RunsToSpare(point_) / kLeastRounds - 1));
    if (groups.size() > most) {
      unmeasured_ = TooLongToTry(point_, kLeastRounds * static_cast<int>(groups.size() + 1));
      groups.resize(most);
    }
    if (!groups.empty() && !tuner_.TimeIsUp()) {
      if (begin) begin();
      TAMIS_ASSIGN_OR_RETURN(inputs_, RandomOperands(specs, point_.binding, 1));
      TAMIS_RETURN_IF_ERROR(Measure(groups));
      Choose();
      TAMIS_RETURN_IF_ERROR(Confirm());
      std::set<std::string> recorded;
      for (const Segment* segment : unknown) {
        if (segment->samples == 0 || !recorded.insert(segment->key).second) continue;
        tuner_.RecordBlock(segment->problems, segment->plan.kernels, segment->plan.seconds, segment->samples);
      }
      std::ignore = tuner_.SaveCache();  // Tune has told of a cache that can't be written
    }
    Choose();
    return Verdicts();
  }

 private:
  Status FindLayers() {
    std::map<std::string_view, const NodePlan*> plans;
    for (const NodePlan& node : point_.nodes) plans[node.node] = &node;
    for (const std::vector<NodeId>& run : LayerRuns(concrete_)) {
      std::vector<Layer>& layers = runs_.emplace_back();
      for (const NodeId id : run) {
        Layer& layer = layers.emplace_back();
        layer.name = NameInPlan(concrete_, concrete_.node(id));
        TAMIS_ASSIGN_OR_RETURN(layer.problem, MakeProblem(concrete_, concrete_.node(id), threads_));
        const auto plan = plans.find(layer.name);
        if (plan != plans.end()) FindRowKernel(*plan->second, &layer);
      }
    }
    return {};
  }

  // By the times that the tuner measured.
  void FindRowKernel(const NodePlan& plan, Layer* layer) {
    layer->seconds = plan.seconds;
    std::vector<const Candidate*> timed;
    for (const Candidate& candidate : plan.candidates) {
      if (candidate.seconds > 0 && candidate.seconds <= kSlowerLayer * plan.seconds) timed.push_back(&candidate);
    }
    std::stable_sort(timed.begin(), timed.end(),
                     [](const Candidate* a, const Candidate* b) { return a->seconds < b->seconds; });
    Problem alone = layer->problem;
    alone.threads = 1;
    for (const Candidate* candidate : timed) {
      const KernelDef& kernel = *FindKernel(candidate->kernel);
      auto prepared = PrepareByRows(kernel, alone, cache_);
      if (!prepared.ok()) continue;
      layer->kernel = kernel.name;
      layer->seconds_by_rows = candidate->seconds;
      prepared_.push_back(std::move(*prepared));  // its packed weight will be wanted again
      return;
    }
  }

  void FindSegments() {
    for (size_t r = 0; r < runs_.size(); ++r) {
      const std::vector<Layer>& run = runs_[r];
      for (size_t begin = 0; begin < run.size(); ++begin) {
        Segment segment;
        segment.run = r;
        segment.begin = begin;
        double by_rows = 0;
        for (size_t end = begin + 1; end <= std::min(begin + kMaxLayers, run.size()); ++end) {
          const Layer& layer = run[end - 1];
          if (layer.kernel.empty()) break;
          segment.problems.push_back(layer.problem);
          segment.key += TimingCache::Key(layer.problem) + layer.kernel;
          segment.kind += KindOf(layer.problem) + layer.kernel;
          segment.plan.layers.push_back(layer.name);
          segment.plan.kernels.push_back(layer.kernel);
          segment.plan.layer_seconds += layer.seconds;
          by_rows += layer.seconds_by_rows;
          segment.end = end;
          if (end - begin > 1 && by_rows <= kSlowerBlock * segment.plan.layer_seconds) segments_.push_back(segment);
        }
      }
    }
  }

  static bool Overlap(const Segment& a, const Segment& b) {
    return a.run == b.run && a.begin < b.end && b.begin < a.end;
  }

  Result<std::unique_ptr<Program>> With(std::span<const Segment* const> segments) {
    std::vector<BlockSpec> blocks;
    for (const Segment* segment : segments) blocks.push_back({segment->plan.layers, segment->plan.kernels});
    return ProgramWith(concrete_.Clone(), kernels_, threads_, cache_, std::move(blocks), arenas_);
  }

  // Groups none of which has blocks that overlap.
  using Group = std::vector<Segment*>;
  static std::vector<Group> Apart(std::span<Segment* const> segments) {
    std::vector<Group> groups;
    for (Segment* segment : segments) {
      const auto free = std::find_if(groups.begin(), groups.end(), [&](const Group& group) {
        return std::none_of(group.begin(), group.end(),
                            [&](const Segment* other) { return Overlap(*segment, *other); });
      });
      (free == groups.end() ? groups.emplace_back() : *free).push_back(segment);
    }
    return groups;
  }

  // Each block's time over that of its layers: medians over whole runs in turns, of a program for every group.
  Status Measure(std::span<const Group> groups) {
    TAMIS_ASSIGN_OR_RETURN(const auto plain, With({}));
    std::vector<std::unique_ptr<Program>> programs;
    for (const auto& group : groups) {
      TAMIS_ASSIGN_OR_RETURN(programs.emplace_back(), With(group));
    }
    std::map<std::string, std::vector<double>> layer_seconds;
    std::map<Segment*, std::vector<double>> block_seconds;
    TAMIS_RETURN_IF_ERROR(ForRounds({.seconds = 2, .least = 4, .most = 60}, [&](int round) -> Status {
      TAMIS_ASSIGN_OR_RETURN(const auto one_by_one, plain->Profile(inputs_, 1, pool_));
      for (const auto& node : one_by_one) {
        if (round > 0) layer_seconds[node.name].push_back(node.seconds);
      }
      for (size_t g = 0; g < groups.size(); ++g) {
        TAMIS_ASSIGN_OR_RETURN(const auto nodes, programs[g]->Profile(inputs_, 1, pool_));
        std::map<std::string_view, double> seconds;
        for (const auto& node : nodes) seconds[node.name] = node.op == "RowBlock" ? node.seconds : 0;
        for (Segment* segment : groups[g]) {
          if (round > 0) block_seconds[segment].push_back(seconds[segment->plan.layers.back()]);
        }
      }
      return {};
    }));
    std::map<std::string, std::vector<double>> ratios;
    for (const auto& [segment, seconds] : block_seconds) {
      const double as_one = Median(seconds);
      if (as_one <= 0) continue;  // it was not formed
      double one_by_one = 0;
      for (const std::string& layer : segment->plan.layers) one_by_one += Median(layer_seconds[layer]);
      ratios[segment->kind].push_back(as_one / one_by_one);
    }
    for (const auto& [segment, seconds] : block_seconds) {
      const auto found = ratios.find(segment->kind);
      if (found == ratios.end()) continue;
      segment->plan.seconds = RoundedSeconds(Median(found->second) * segment->plan.layer_seconds);
      segment->samples = static_cast<int64_t>(seconds.size());
    }
    return {};
  }

  // The blocks that leave least time in every run of layers.
  void Choose() {
    chosen_.clear();
    for (size_t r = 0; r < runs_.size(); ++r) {
      const std::vector<Layer>& run = runs_[r];
      std::vector<double> least(run.size() + 1, 0);
      std::vector<const Segment*> last(run.size() + 1, nullptr);
      for (size_t end = 1; end <= run.size(); ++end) {
        least[end] = least[end - 1] + run[end - 1].seconds;
        for (const Segment& segment : segments_) {
          if (segment.run != r || segment.end != end || !Gains(segment)) continue;
          const double seconds = least[segment.begin] + segment.plan.seconds;
          if (seconds >= least[end]) continue;
          least[end] = seconds;
          last[end] = &segment;
        }
      }
      for (size_t end = run.size(); end > 0; end = last[end] != nullptr ? last[end]->begin : end - 1) {
        if (last[end] != nullptr) chosen_.push_back(last[end]);
      }
    }
  }
  static bool Gains(const Segment& segment) {
    return segment.plan.seconds > 0 && segment.plan.seconds < kLeastGain * segment.plan.layer_seconds;
  }

  // Whole runs with and without what was chosen; what loses so has gained nothing layer by layer either.
  Status Confirm() {
    if (chosen_.empty()) return {};
    TAMIS_ASSIGN_OR_RETURN(const auto plain, With({}));
    TAMIS_ASSIGN_OR_RETURN(const auto blocks, With(chosen_));
    const Program* const programs[] = {plain.get(), blocks.get()};
    for (const double seconds : {0.5, 2.0}) {  // noise may make a winner lose, but seldom twice
      TAMIS_ASSIGN_OR_RETURN(const auto times, RunInTurns(programs, inputs_, pool_, {.seconds = seconds, .least = 6}));
      if (Median(times[1]) < Median(times[0])) return {};
    }
    std::set<std::string> losers;
    for (const Segment* segment : chosen_) losers.insert(segment->key);
    for (Segment& segment : segments_) {
      // What the cache knew has held in a whole network before, and stays as other builds found it.
      if (segment.samples == 0 || losers.count(segment.key) == 0) continue;
      segment.plan.seconds = RoundedSeconds(segment.plan.layer_seconds);
    }
    return {};
  }

  std::vector<BlockVerdict> Verdicts() {
    std::vector<BlockVerdict> verdicts;
    for (const Segment& segment : segments_) {
      BlockVerdict& verdict = verdicts.emplace_back();
      verdict.block = segment.plan;
      verdict.chosen = std::find(chosen_.begin(), chosen_.end(), &segment) != chosen_.end();
      if (verdict.chosen) point_.blocks.push_back(segment.plan);
      if (segment.plan.seconds <= 0) {
        verdict.reason = unmeasured_;
        continue;
      }
      verdict.reason = fmt::format("{:.2f} times the time of its layers one by one",
                                   segment.plan.seconds / segment.plan.layer_seconds);
      if (!verdict.chosen && Gains(segment)) verdict.reason += "; other blocks of these layers gain more";
    }
    return verdicts;
  }

  const Graph& fused_;
  Tuner& tuner_;
  int threads_;
  PlanPoint& point_;
  ThreadPool pool_;
  KernelsByNode kernels_;
  Graph concrete_;
  std::vector<std::vector<Layer>> runs_;
  std::vector<Segment> segments_;
  std::vector<const Segment*> chosen_;
  std::string unmeasured_ = "not measured";  // why not
  std::vector<Tensor> inputs_;
  PackCache cache_;
  std::shared_ptr<ArenaPool> arenas_ = std::make_shared<ArenaPool>();
  std::vector<std::unique_ptr<PreparedKernel>> prepared_;
};

}  // namespace

Result<std::vector<BlockVerdict>> ChooseBlocks(const Graph& fused, Tuner& tuner, int threads, PlanPoint* point,
                                               const std::function<void()>& begin) {
  return Trial(fused, tuner, threads, point).Run(begin);
}

}  // namespace tamis
