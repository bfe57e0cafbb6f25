// Whole networks, each with what it takes and what it loses: the points between which `optimize` chooses.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "src/compiler/optimize/optimize_budget.h"
#include "src/compiler/optimize/optimize_candidates.h"
#include "src/compiler/optimize/optimize_judge.h"
#include "src/compiler/optimize/optimize_times.h"

namespace tamis {

struct OptimizeTrial {
  std::string label;
  Assignment assignment;
  bool uniform = false;         // every layer the same, where it can be
  bool in_order = false;        // pruned in order, as the engine is; else each layer as pruned alone
  double modelled_error = 0;    // sum of what the layers cost alone
  double relative = 1;          // time against the dense network, mean over profiles: short whole runs beside it
  double seconds = 0;           // prediction, the sum of measured nodes, of the profile that takes longest
  double measured_seconds = 0;  // whole runs, in turns with others; 0: not run
  std::string precision;        // of what is not int8
  Quality quality;              // on the samples to choose by
  bool holds = false;
  bool refused = false;  // by the samples that confirm, though it held by those to choose by

  // Whether an engine may be made of it. Layers make up for one another in a uniform network, so the sum says little
  // of it: what it loses as a whole is measured, and samples that nobody has seen confirm.
  bool Counts(double most_error) const { return !refused && (uniform || modelled_error <= most_error); }
};

// An untuned session of a fused graph: its answers are those of a tuned one but for rounding.
Result<std::shared_ptr<Session>> QuickSession(const Graph& fused, DType precision, int threads);

class Trials {
 public:
  Trials(Candidates* candidates, NetworkTimer* timer, const Judge* judge, const Budget& budget, int threads,
         std::function<bool()> cancelled = {})
      : candidates_(*candidates),
        timer_(*timer),
        judge_(judge),
        budget_(budget),
        threads_(threads),
        cancelled_(std::move(cancelled)) {}

  // Times and measures a draft; what was tried before is not tried again. Returns its index.
  Result<size_t> Try(const std::string& label, const Assignment& assignment, bool uniform, double modelled_error);
  // Prunes the network of a trial in order, if it has 2:4 layers, and times and measures that. Returns its index, which
  // is the same where there is nothing to prune.
  Result<size_t> TryInOrder(size_t draft);
  // Everything once more, after the judge has got more samples.
  Status MeasureAgain();
  // The network of a trial.
  Result<PrunedNetwork> NetworkOf(size_t trial) const;

  const std::vector<OptimizeTrial>& all() const { return trials_; }
  OptimizeTrial& at(size_t i) { return trials_[i]; }

 private:
  Status Measure(const Graph& network, OptimizeTrial* trial) const;

  Candidates& candidates_;
  NetworkTimer& timer_;
  const tamis::Judge* judge_;
  Budget budget_;
  int threads_;
  std::function<bool()> cancelled_;
  std::vector<OptimizeTrial> trials_;
  std::map<size_t, PrunedNetwork> networks_;  // those that were pruned in order
};

// Whether this network holds the budget or, as a draft, may hold it once it is pruned in order.
bool NearlyHolds(const OptimizeTrial& trial, const Budget& budget);

// Two times are the same but for what timing can't tell where the smaller is not below this part of the larger.
inline constexpr double kClearlyFaster = 0.98;
// The fastest that holds among those for which `counts` says so, or one that is as fast but for timing noise and whose
// layers' errors add up to less; -1 if there is none.
int FastestThatHolds(const std::vector<OptimizeTrial>& trials, const std::function<bool(const OptimizeTrial&)>& counts);

}  // namespace tamis
