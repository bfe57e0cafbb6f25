// Chooses the kernel of every node by timing the candidates.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "src/tuner/timing_cache.h"
#include "src/tuner/worker.h"

namespace tamis {

struct TunerOptions {
  int threads = 1;
  std::string cache_path;  // empty: nothing is kept
  // Candidates whose predicted cost is above this multiple of the best prediction are not timed.
  double cost_cutoff = 6;
  std::function<void(int done, int total, const std::string& node)> progress;  // may be empty
  std::function<bool()> cancelled;                                             // may be empty; asked before each node
};

struct TunedNode {
  std::string node;  // name of its first output
  std::string op;
  std::string kernel;                   // the winner; empty: no kernel computes it, the reference runs
  double seconds = 0;                   // of the winner
  std::vector<TimedKernel> candidates;  // timed ones, and refused ones with the reason
};

// Not synchronised.
class Tuner {
 public:
  explicit Tuner(TunerOptions options);
  ~Tuner();

  // Times every node of a specialised graph (see Specialize). Equal problems are timed once.
  Result<std::vector<TunedNode>> Tune(const Graph& concrete);
  // Best time of one problem, and the kernel that reached it. `pattern` replaces the pattern of the weight (input 1),
  // so that a dense layer can be asked what it would take as 2:4. seconds 0: no kernel.
  Result<TunedNode> TimeProblem(const Problem& problem);
  Result<TunedNode> TimeAs(Problem problem, Pattern pattern);
  // Sentences for the user: the worker could not be started, the cache could not be written.
  const std::vector<std::string>& notices() const { return notices_; }

 private:
  TunerOptions options_;
  TimingCache cache_;
  TuneWorker worker_;
  std::unique_ptr<ThreadPool> own_pool_;  // where no worker can be started
  std::vector<std::string> notices_;
};

}  // namespace tamis
