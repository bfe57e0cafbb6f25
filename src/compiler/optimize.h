// From a trained network to the fastest engine that stays inside the agreed accuracy.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "src/compiler/build.h"
#include "src/compiler/data_source.h"
#include "src/compiler/predict.h"
#include "src/compiler/prune.h"

namespace tamis {

struct OptimizeOptions {
  // One of the two budgets. Agreement: mean over samples of the cosine between the dense network's outputs (f32) and
  // ours, the worst output's. Drop: points of top-1 against the labels, or against the dense network's own answers
  // where there are no labels.
  double min_agreement = 0;  // 0: not used
  double max_drop = -1;      // negative: not used
  BuildOptions build;  // precision kAuto: bf16 node by node where it is measured faster and stays inside the budget
  PruneOptions prune;
  SplitSizes split;
  uint64_t seed = 1;
  std::function<void(const std::string& step)> log;  // one sentence a step; may be empty
};

// What one trial measured.
struct Quality {
  double agreement = 1;        // as min_agreement
  double agreement_error = 0;  // standard error of it
  double drop = 0;             // as max_drop; 0 for networks without class scores
};

struct OptimizeTrial {
  int64_t layers = 0;  // how many were pruned
  Quality choose;
  bool holds = false;
};

struct OptimizedLayer {
  LayerReport report;
  LayerTime time;          // at the opt of the profile whose runs are longest
  double sensitivity = 0;  // 1 - cosine with this layer alone pruned; 0 if not measured
};

struct OptimizeResult {
  std::shared_ptr<Engine> engine;
  std::vector<OptimizedLayer> layers;
  std::vector<OptimizeTrial> trials;
  Quality choose, confirm;  // of the engine itself, precision included
  bool holds = false;       // on the confirm split
  std::string precision;
  double dense_ms = 0;      // predicted for the dense network in the same precision, at that opt
  double predicted_ms = 0;  // of the result
  int64_t fit_samples = 0, choose_samples = 0, confirm_samples = 0;
  std::vector<std::string> notices;
};

// A budget of agreement must hold at the lower end of the 95 % confidence interval (one-sided) of what the samples
// show, so that it holds on data never seen and not only on these samples. Splits the data into fit, choose and
// confirm; times every layer dense and as 2:4; measures each gaining layer's sensitivity; prunes the least sensitive
// ones, as many as the budget allows (bisection on their number, each trial pruned anew in order), and checks the built
// engine on the confirm split. Only layers that gain time are pruned.
Result<OptimizeResult> Optimize(const Network& network, const DataSource& data, const OptimizeOptions& options);

// One self-contained HTML page.
std::string OptimizeReportHtml(const Network& network, const OptimizeOptions& options, const OptimizeResult& result);

}  // namespace tamis
