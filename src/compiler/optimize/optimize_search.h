// The search for the fastest network that holds a budget.
#pragma once

#include <functional>
#include <string>

#include "src/compiler/optimize/optimize_allowance.h"
#include "src/compiler/optimize/optimize_table.h"
#include "src/compiler/optimize/optimize_trials.h"

namespace tamis {

struct SearchResult {
  int best = -1;          // index of the fastest trial that holds as the engine will be, by predicted times; -1: none
  double allowed = 0;     // sum of the layers' errors that the search ended with
  double most_error = 0;  // and the largest that a mixture may have
};

// Uniform settings first, then mixtures: the layers' errors alone are taken to add up, what sum the budget allows is
// found by trials (drafts, without pruning in order), and what holds is pruned in order and measured again. Where that
// misses the budget, the sum is lowered and solved anew; where it holds with room to spare, raised.
class Search {
 public:
  using Log = std::function<void(const std::string&)>;
  Search(LayerTable* table, Candidates* candidates, NetworkTimer* timer, Trials* trials, const Budget& budget, Log log)
      : table_(*table),
        candidates_(*candidates),
        timer_(*timer),
        trials_(*trials),
        budget_(budget),
        log_(std::move(log)) {}

  Result<SearchResult> Run();
  // Once more, with no more error than `allowed`.
  Result<SearchResult> Tighten(double allowed);

 private:
  Status TryUniform();
  Result<Allowance> Allow();
  Result<size_t> TryAllowance(double allowed);
  Result<size_t> PruneInOrder(size_t draft);
  // Of trials that count with `most_error`.
  Result<SearchResult> Finish(const Allowance& allowance, double most_error);
  // Mixtures with more errors while what holds leaves room in the budget; `allowed` becomes what the last that holds
  // had.
  Status Widen(double most_error, double* allowed);
  int Power() const;  // how what is lost grows with the sum of errors (FindAllowance)
  void Say(const OptimizeTrial& trial) const;

  LayerTable& table_;
  Candidates& candidates_;
  NetworkTimer& timer_;
  Trials& trials_;
  Budget budget_;
  Log log_;
};

}  // namespace tamis
