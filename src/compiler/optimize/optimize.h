// From a trained network to the fastest engine that stays inside the agreed accuracy.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "src/compiler/optimize/optimize_budget.h"
#include "src/compiler/optimize/optimize_search.h"
#include "src/compiler/permute/permute.h"
#include "src/compiler/plan/build.h"
#include "src/compiler/prune/prune.h"
#include "src/compiler/quantize/quantize.h"
#include "src/compiler/samples/data_source.h"

namespace tamis {

// How many samples of `samples` (0: as many as are usual) are there to fit, to choose and to confirm with.
SplitSizes OptimizeSplit(int64_t samples);
// How many of those that confirm are asked first. The rest are for a second check, should that fail.
int64_t FirstToConfirm(int64_t confirm);

struct OptimizeOptions {
  // With none of the two given, a drop of at most kDefaultDrop points.
  Budget budget;
  static constexpr double kDefaultDrop = 1.5;
  // Precision kAuto: int8 and bf16 may be chosen, layer by layer.
  BuildOptions build;
  bool int8 = true;      // may be chosen
  bool permute = false;  // channels are first put in the order in which 2:4 keeps most
  PruneOptions prune;
  QuantizeOptions quantize;
  SplitSizes split = OptimizeSplit(0);
  bool unseen = false;  // the network was not trained on the samples: drops on them alone count, not on mixtures too
  uint64_t seed = 1;
  double run_seconds = 0.7;                          // of whole runs, for each of the finalists
  std::string command;                               // for the report: how it was called
  std::function<void(const std::string& step)> log;  // one sentence a step; may be empty
  // For all steps; those of `build`, `prune` and `quantize` are set from them. May be empty.
  std::function<void(int64_t done, int64_t total, const std::string& what)> progress;
  std::function<bool()> cancelled;  // true ends the work with an error
};

struct OptimizedLayer {
  std::string name, node, op;
  int64_t elements = 0;  // of its weight
  LayerSetting setting;
  LayerRow row;             // measured times and errors of what it could have been
  std::string reason;       // why it is not 2:4 or not int8; empty if it is both
  LayerReport report;       // of its pruning; the pattern is "dense" if it was not
  double weight_error = 0;  // of its int8 codes
};

// Errors of the chosen network taken apart, as 1 - agreement on the samples to choose by.
struct ErrorSplit {
  double sparse = 0, quantized = 0, both = 0;
};

struct OptimizeResult {
  std::shared_ptr<Engine> engine;
  std::optional<PermuteReport> permuted;  // if that was asked for
  std::vector<OptimizedLayer> layers;
  std::vector<OptimizeTrial> trials;
  int chosen = -1;           // the trial that the engine was built from
  int best_uniform = -1;     // the fastest finalist that does the same to every layer and holds
  Quality choose, confirm;   // of the engine itself
  bool holds = false;        // on samples used for nothing else
  int confirmations = 0;     // how often such samples were asked; each of them once
  std::string precision;     // of the engine
  std::string full = "f32";  // what a layer runs in that is neither bf16 nor int8 by choice
  ErrorSplit split;
  double dense_predicted_ms = 0, dense_ms = 0;  // sum of measured nodes, and whole runs, at the longest profile's opt
  double predicted_ms = 0, ms = 0;              // of the result
  int64_t fit_samples = 0, choose_samples = 0, confirm_samples = 0;
  int sensitivities_measured = 0, sensitivities_cached = 0;  // costs of single layers at the outputs
  std::string sensitivity_cache;                             // the file of the latter; may be empty
  std::string calibration;  // whether more samples would move the ranges, in a sentence
  uint64_t data_hash = 0;
  Budget budget;  // that was asked
  std::vector<std::string> notices;

  // Shares of the weights' elements.
  double ShareOf(const std::function<bool(const LayerSetting&)>& of) const;
};

// Holds `options.budget` at the bad end of a 95 % confidence interval (one-sided), so that it holds on data never seen
// and not only on these samples. Splits the data into fit, choose and confirm; times every layer as {dense, 2:4, paired
// 2:4} x {f32, bf16, int8}; measures what each costs at the network's outputs; chooses by both (optimize_search.h) and
// checks the engine on the confirm samples. Where that fails, they join those to choose by, less is allowed, and a part
// kept back confirms; then it is the network in bf16, if that is faster, or as it is. A budget that not even that holds
// is no error: the result says so, and is the trial closest to it.
Result<OptimizeResult> Optimize(const Network& network, const DataSource& data, const OptimizeOptions& options);

// What to tell the user of a result that does not hold.
std::string BudgetMissed(const OptimizeResult& result);

// One self-contained HTML page.
std::string OptimizeReportHtml(const Network& network, const OptimizeOptions& options, const OptimizeResult& result);

}  // namespace tamis
