// Chooses the kernel of every node by timing the candidates.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "src/cuda/device.h"
#include "src/tuner/timing_cache.h"
#include "src/tuner/worker.h"

namespace tamis {

struct TunerOptions {
  int threads = 1;
  std::shared_ptr<const CudaDevice> cuda;  // null: kernels of the CPU are timed
  uint64_t workspace_limit = 0;            // bytes; kernels of a GPU that want more are struck out; 0: no limit
  std::string cache_path;                  // empty: nothing is kept
  // Candidates whose predicted cost is above this multiple of the best prediction are not timed.
  double cost_cutoff = 6;
  // Seconds from the tuner's making after which nothing more is timed: what the cache does not know is then chosen by
  // the cost model. 0: no limit.
  double time_budget = 0;
  // `total` counts what there is to time: equal problems once, those the cache knows not at all. May be empty.
  std::function<void(int done, int total, const std::string& node)> progress;
  std::function<bool()> cancelled;  // may be empty; asked before each node
};

// What plans call a node: the name of its first output.
std::string NameInPlan(const Graph& graph, const Node& node);

struct TunedNode {
  std::string node;  // NameInPlan
  std::string op;
  std::string kernel;                   // the winner; empty: no kernel computes it, the reference runs
  double seconds = 0;                   // of the winner
  std::vector<TimedKernel> candidates;  // timed ones, and refused ones with the reason
  bool untimed = false;                 // there were kernels to time, and none could be: `candidates` tell why
  bool predicted = false;               // time was up: the cost model's choice, `seconds` is its prediction
};

// A choice of a plan that lost to dense kernels inside the network.
struct PlanLoser {
  size_t node = 0;     // its place among the plan's nodes; of a block that of its last layer
  std::string kernel;  // what computes the node instead; empty: its block is given up
};

// Stands where the timing cache names a kernel, in records of cuts (Tuner::RecordCut).
inline constexpr const char* kCutRecord = "micro_batches";

// Not synchronised.
class Tuner {
 public:
  explicit Tuner(TunerOptions options);
  ~Tuner();

  // Times every node of specialised graphs (see Specialize). Equal problems are timed once, those that are predicted to
  // take longest first.
  Result<std::vector<std::vector<TunedNode>>> Tune(std::span<const Graph> concrete);
  // Best time of one problem, and the kernel that reached it. `pattern` replaces the pattern of the weight (input 1),
  // so that a dense layer can be asked what it would take as 2:4, and as 2:4 with `pairs` of outputs that keep the same
  // positions. seconds 0: no kernel.
  Result<TunedNode> TimeProblem(const Problem& problem);
  Result<TunedNode> TimeAs(Problem problem, Pattern pattern, bool pairs = false);
  // What a kernel takes inside a network: `ratio` times the fastest of the problem's kernels that take dense weights.
  // Kept like the times of kernels alone, and from then on taken instead of `kernel`'s. Does nothing for problems that
  // the cache does not know.
  void RecordInNetwork(const Problem& problem, const std::string& kernel, double ratio);
  bool KnowsInNetwork(const Problem& problem, const std::string& kernel) const;
  // What layers take inside a network when they run as one block by these kernels; nothing if it was not measured.
  std::optional<double> FindBlock(std::span<const Problem> layers, std::span<const std::string> kernels) const;
  void RecordBlock(std::span<const Problem> layers, std::span<const std::string> kernels, double seconds,
                   int64_t samples);
  // What was found to lose in a whole plan, in the order in which it was; nothing if that plan was not measured.
  // `plan` names it and whatever its times depend on; `layer` is any of its layers, for people who read the cache.
  std::optional<std::vector<PlanLoser>> FindLosers(const std::string& plan) const;
  void RecordLosers(const std::string& plan, const Problem& layer, const std::vector<PlanLoser>& losers);
  // Which cut a plan's batch was measured to be fastest with, counted from 1 among MicroBatchCuts; 0: none; nothing if
  // it was not measured. `plan` and `layer` as above.
  std::optional<size_t> FindCut(const std::string& plan) const;
  void RecordCut(const std::string& plan, const Problem& layer, size_t cut);
  // Keeps what TimeProblem measured; Tune does so by itself.
  Status SaveCache() { return cache_.Save(); }
  bool TimeIsUp() const;
  // Sentences for the user: the worker could not be started, the cache could not be written, the time was up, and of
  // all nodes that were tuned, however often, how many were timed on a busy machine or not at all.
  std::vector<std::string> notices() const;
  // The GPU that kernels are timed on; null: the CPU.
  const std::shared_ptr<const CudaDevice>& cuda() const { return options_.cuda; }

 private:
  struct Candidates;
  struct Masked {
    Tensor weight;
    uint64_t hash = 0;
  };
  Result<TunedNode> TimeKeyed(const Problem& problem, const std::string& key);
  Result<Candidates> CandidatesFor(const Problem& problem) const;  // an error only where a GPU fails
  std::string DeviceKey() const;
  Result<std::vector<TimedKernel>> Measure(const Problem& problem, const std::vector<std::string>& kernels);

  TunerOptions options_;
  TimingCache cache_;
  // The weights of TimeAs, by type, shape, pattern and whether they have pairs.
  std::map<std::tuple<DType, Dims, Pattern, bool>, Masked> masked_;
  TuneWorker worker_;
  std::unique_ptr<ThreadPool> own_pool_;  // where no worker can be started
  std::vector<std::string> notices_;
  // Keys of what was tuned, of what was timed on a busy machine, and of what could not be timed with its description.
  std::set<std::string> timed_, unsettled_;
  std::map<std::string, std::string> untimed_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace tamis
