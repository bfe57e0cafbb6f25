#include "src/compiler/optimize/optimize_trials.h"

#include <algorithm>
#include <limits>

namespace tamis {

Result<std::shared_ptr<Session>> QuickSession(const Graph& fused, DType precision, int threads) {
  auto engine = std::make_shared<Engine>();
  engine->fused = fused.Clone();
  engine->provenance.precision = precision == DType::kBFloat16 ? "bf16" : "f32";
  SessionOptions session;
  session.threads = threads;
  return Session::Create(std::move(engine), session);
}

Result<size_t> Trials::Try(const std::string& label, const Assignment& assignment, bool uniform,
                           double modelled_error) {
  const auto same = std::find_if(trials_.begin(), trials_.end(), [&](const OptimizeTrial& trial) {
    return trial.assignment == assignment && (!trial.in_order || CountSparse(assignment) == 0);
  });
  if (same != trials_.end()) {
    same->uniform = same->uniform || uniform;
    return static_cast<size_t>(same - trials_.begin());
  }
  OptimizeTrial trial;
  trial.label = label;
  trial.assignment = assignment;
  trial.uniform = uniform;
  trial.modelled_error = modelled_error;
  trial.in_order = CountSparse(assignment) == 0;  // there is nothing to prune in another order
  TAMIS_ASSIGN_OR_RETURN(const Graph network, candidates_.Draft(assignment));
  TAMIS_RETURN_IF_ERROR(Measure(network, &trial));
  trials_.push_back(std::move(trial));
  return trials_.size() - 1;
}

Result<size_t> Trials::TryInOrder(size_t draft) {
  if (trials_[draft].in_order) return draft;
  for (size_t i = 0; i < trials_.size(); ++i) {
    if (trials_[i].in_order && trials_[i].assignment == trials_[draft].assignment) return i;
  }
  OptimizeTrial trial = trials_[draft];
  trial.in_order = true;
  trial.label += ", in order";
  TAMIS_ASSIGN_OR_RETURN(PrunedNetwork network, candidates_.InOrder(trial.assignment));
  TAMIS_RETURN_IF_ERROR(Measure(network.graph, &trial));
  networks_.emplace(trials_.size(), std::move(network));
  trials_.push_back(std::move(trial));
  return trials_.size() - 1;
}

Status Trials::Measure(const Graph& network, OptimizeTrial* trial) const {
  if (cancelled_ && cancelled_()) return RuntimeError("optimizing was interrupted");
  TAMIS_ASSIGN_OR_RETURN(const TimedNetwork timed, timer_.Time(network, LowLayers(trial->assignment)));
  constexpr double kSeconds = 0.4;  // of whole runs
  TAMIS_ASSIGN_OR_RETURN(const WholeRun whole, timer_.RunBesideDense(timed, kSeconds));
  trial->relative = whole.relative > 0 ? whole.relative : timer_.Relative(timed);
  trial->seconds = timer_.Seconds(timed);
  trial->precision = timed.precision == DType::kBFloat16 ? "bf16" : "f32";
  TAMIS_ASSIGN_OR_RETURN(const auto session, QuickSession(timed.fused, timed.precision, threads_));
  TAMIS_ASSIGN_OR_RETURN(trial->quality, judge_->Measure(*session));
  trial->holds = budget_.Holds(trial->quality);
  return {};
}

Status Trials::MeasureAgain() {
  for (size_t i = 0; i < trials_.size(); ++i) {
    TAMIS_ASSIGN_OR_RETURN(const PrunedNetwork network, NetworkOf(i));
    TAMIS_RETURN_IF_ERROR(Measure(network.graph, &trials_[i]));
  }
  return {};
}

Result<PrunedNetwork> Trials::NetworkOf(size_t trial) const {
  PrunedNetwork network;
  if (const auto known = networks_.find(trial); known != networks_.end()) {
    network.graph = known->second.graph.Clone();
    network.prune = known->second.prune;
    network.quantize = known->second.quantize;
    return network;
  }
  TAMIS_ASSIGN_OR_RETURN(network.graph, candidates_.Draft(trials_[trial].assignment, true, &network.quantize));
  return network;
}

bool NearlyHolds(const OptimizeTrial& trial, const Budget& budget) {
  // Of the budget beyond it: in order a network loses a third to a half of what its draft does.
  constexpr double kNearly = 1.5;
  return trial.holds || (!trial.in_order && budget.Excess(trial.quality) <= kNearly);
}

int FastestThatHolds(const std::vector<OptimizeTrial>& trials,
                     const std::function<bool(const OptimizeTrial&)>& counts) {
  double fastest = std::numeric_limits<double>::infinity();
  for (const OptimizeTrial& trial : trials) {
    if (trial.holds && counts(trial)) fastest = std::min(fastest, trial.relative);
  }
  int best = -1;
  for (size_t i = 0; i < trials.size(); ++i) {
    const OptimizeTrial& trial = trials[i];
    if (!trial.holds || !counts(trial) || kClearlyFaster * trial.relative > fastest) continue;
    if (best < 0 || trial.modelled_error < trials[static_cast<size_t>(best)].modelled_error) best = static_cast<int>(i);
  }
  return best;
}

}  // namespace tamis
