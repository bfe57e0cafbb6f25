#include "src/compiler/optimize/optimize_allowance.h"

#include <algorithm>
#include <cmath>

namespace tamis {
namespace {

constexpr int kMostDrafts = 7;                           // between what nearly holds and what does not
constexpr double kCloseEnough = 1.05;                    // these two
constexpr double kLeastExcess = 0.1;                     // the first guess is clearly below what failed
constexpr double kRoom = 0.75, kAim = 0.9, kWidest = 2;  // of the budget; of what was held

}  // namespace

Result<Allowance> FindAllowance(double most_error, const DraftOutcome& at_most, int power,
                                const std::function<Result<DraftOutcome>(double allowed)>& draft) {
  if (at_most.holds) return Allowance{most_error, most_error};
  double fails = most_error, nearly = at_most.nearly ? most_error : 0, holds = 0;
  const auto attempt = [&](double allowed) -> Result<DraftOutcome> {
    TAMIS_ASSIGN_OR_RETURN(const DraftOutcome outcome, draft(allowed));
    if (outcome.holds) holds = std::max(holds, allowed);
    return outcome;
  };
  double next = fails / std::pow(1 + std::max(at_most.excess, kLeastExcess), power);
  for (int drafts = 0; drafts < kMostDrafts && fails > kCloseEnough * nearly; ++drafts) {
    TAMIS_ASSIGN_OR_RETURN(const DraftOutcome outcome, attempt(next));
    if (outcome.nearly) {
      nearly = next;
    } else {
      fails = std::min(next, outcome.modelled_error);
    }
    next = nearly > 0 ? std::sqrt(nearly * fails) : fails / 4;
  }
  for (const double share : {0.5, 0.2}) {
    if (nearly > 0 && holds == 0) TAMIS_RETURN_IF_ERROR(attempt(share * nearly).status());
  }
  return Allowance{std::max(holds, nearly), holds};
}

double WiderAllowance(double held, double use, int power) {
  if (use > kRoom) return 0;
  return held * std::min(kWidest, std::pow(kAim / std::max(use, kAim / kWidest), power));
}

}  // namespace tamis
