#include "src/compiler/optimize/optimize_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tamis {
namespace {

constexpr int kMostInOrder = 4;  // prunings of the whole network
constexpr int kMostWider = 2;    // and with more errors than what held
constexpr double kTighter = 0.7;

// By what timing can tell. Short whole runs say little on a machine with other work: unless the sum of its kernels is
// no smaller either, a network may be faster than the one that holds.
bool MayBeFaster(const OptimizeTrial& wanted, const OptimizeTrial& held) {
  return kClearlyFaster * held.relative > wanted.relative || kClearlyFaster * held.seconds > wanted.seconds;
}

}  // namespace

void Search::Say(const OptimizeTrial& trial) const {
  log_(fmt::format("{}: {:.3f} ms predicted, {:.2f} of the dense network's time, {}, {}", trial.label,
                   trial.seconds * 1e3, trial.relative, budget_.Describe(trial.quality),
                   trial.holds ? "holds" : "too much"));
}

Status Search::TryUniform() {
  for (const UniformTime& uniform : table_.uniform()) {
    const std::string label = uniform.setting.IsAsItWas() ? "dense" : "all " + Name(uniform.setting);
    if (!uniform.useful) {
      log_(fmt::format("{}: {:.2f} of the dense network's time, which a more exact one takes too: left out", label,
                       uniform.relative));
      continue;
    }
    const Assignment assignment = table_.Uniform(uniform.setting);
    const size_t before = trials_.all().size();
    TAMIS_ASSIGN_OR_RETURN(const size_t at, trials_.Try(label, assignment, true, table_.Error(assignment)));
    if (trials_.all().size() > before) Say(trials_.at(at));
  }
  return {};
}

Result<size_t> Search::TryAllowance(double allowed) {
  const Assignment assignment = table_.Solve(allowed);
  const int64_t low = CountBFloat16(assignment);
  const std::string label =
      fmt::format("{} int8, {}{} 2:4 of {}", CountInt8(assignment), low > 0 ? fmt::format("{} bf16, ", low) : "",
                  CountSparse(assignment), table_.rows().size());
  const size_t before = trials_.all().size();
  TAMIS_ASSIGN_OR_RETURN(const size_t at, trials_.Try(label, assignment, false, table_.Error(assignment)));
  if (trials_.all().size() > before) Say(trials_.at(at));
  return at;
}

Result<Allowance> Search::Allow() {
  const auto draft = [this](double allowed) -> Result<DraftOutcome> {
    TAMIS_ASSIGN_OR_RETURN(const size_t at, TryAllowance(allowed));
    const OptimizeTrial& trial = trials_.at(at);
    return DraftOutcome{trial.holds, NearlyHolds(trial, budget_), budget_.Excess(trial.quality), trial.modelled_error};
  };
  const double most = table_.MostError();
  TAMIS_ASSIGN_OR_RETURN(const DraftOutcome at_most, draft(most));
  if (!at_most.holds) TAMIS_RETURN_IF_ERROR(table_.TimeConversions(&candidates_, &timer_));
  return FindAllowance(most, at_most, Power(), draft);
}

Result<size_t> Search::PruneInOrder(size_t draft) {
  const size_t before = trials_.all().size();
  TAMIS_ASSIGN_OR_RETURN(const size_t at, trials_.TryInOrder(draft));
  if (trials_.all().size() > before) Say(trials_.at(at));
  return at;
}

int Search::Power() const {
  return budget_.max_drop >= 0 ? 2 : 1;
}

Status Search::Widen(double most_error, double* allowed) {
  double fails = std::min(most_error, table_.MostError());
  bool failed = false;
  for (int i = 0; i < kMostWider; ++i) {
    const int held = FastestThatHolds(trials_.all(), [&](const OptimizeTrial& trial) {
      return trial.in_order && !trial.uniform && CountSparse(trial.assignment) > 0 && trial.Counts(most_error);
    });
    if (held < 0) return {};
    const double error = trials_.at(static_cast<size_t>(held)).modelled_error;
    const double use = budget_.Use(trials_.at(static_cast<size_t>(held)).quality);
    const double next = std::min(WiderAllowance(error, use, Power()), failed ? std::sqrt(error * fails) : fails);
    if (next <= error) return {};
    TAMIS_ASSIGN_OR_RETURN(const size_t draft, TryAllowance(next));
    if (!MayBeFaster(trials_.at(draft), trials_.at(static_cast<size_t>(held)))) return {};
    TAMIS_ASSIGN_OR_RETURN(const size_t at, PruneInOrder(draft));
    failed = !trials_.at(at).holds;
    if (failed) {
      fails = trials_.at(at).modelled_error;
    } else {
      *allowed = next;
    }
  }
  return {};
}

Result<SearchResult> Search::Finish(const Allowance& allowance, double most_error) {
  double allowed = allowance.nearly;
  const auto final = [&](const OptimizeTrial& trial) { return trial.in_order && trial.Counts(most_error); };
  for (int round = 0; round < kMostInOrder && (round == 0 || allowed > 0); ++round) {
    TAMIS_ASSIGN_OR_RETURN(const size_t draft, TryAllowance(allowed));
    // What holds already and is as fast needs no pruning beside it.
    const int known = FastestThatHolds(trials_.all(), final);
    if (known >= 0 && !MayBeFaster(trials_.at(draft), trials_.at(static_cast<size_t>(known)))) break;
    TAMIS_ASSIGN_OR_RETURN(const size_t at, PruneInOrder(draft));
    if (trials_.at(at).holds) break;
    allowed = kTighter * std::min(allowed, trials_.at(at).modelled_error);
    // What held as a draft is the last to be tried.
    if (round + 2 == kMostInOrder && allowance.holds > 0) allowed = std::min(allowed, allowance.holds);
  }
  TAMIS_RETURN_IF_ERROR(Widen(most_error, &allowed));
  SearchResult result;
  result.allowed = allowed;
  result.best = FastestThatHolds(trials_.all(), final);
  // A uniform setting that is faster as a draft is pruned in order too, before it is said that it does not hold.
  const int uniform = FastestThatHolds(
      trials_.all(), [&](const OptimizeTrial& trial) { return trial.uniform && trial.Counts(most_error); });
  if (uniform >= 0) {
    const double relative = trials_.at(static_cast<size_t>(uniform)).relative;
    if (result.best < 0 || relative < trials_.at(static_cast<size_t>(result.best)).relative) {
      TAMIS_RETURN_IF_ERROR(PruneInOrder(static_cast<size_t>(uniform)).status());
      result.best = FastestThatHolds(trials_.all(), final);
    }
  }
  result.most_error = most_error;
  return result;
}

Result<SearchResult> Search::Run() {
  TAMIS_RETURN_IF_ERROR(TryUniform());
  TAMIS_ASSIGN_OR_RETURN(const Allowance allowed, Allow());
  return Finish(allowed, std::numeric_limits<double>::infinity());
}

Result<SearchResult> Search::Tighten(double allowed) {
  return Finish({allowed, allowed}, allowed);
}

}  // namespace tamis
