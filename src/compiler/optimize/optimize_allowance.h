// How much error the layers of a mixture may have in sum: found by drafts.
#pragma once

#include <functional>

#include "tamis/status.h"

namespace tamis {

// What a draft of a network with at most some sum of errors came to.
struct DraftOutcome {
  bool holds = false;
  bool nearly = false;        // may hold once it is pruned in order; true where it holds
  double excess = 0;          // beyond the budget, in units of it
  double modelled_error = 0;  // the sum that it has, which is no more than was allowed
};

// The largest allowances whose drafts nearly hold and hold; 0: none did.
struct Allowance {
  double nearly = 0, holds = 0;
};

// `at_most` is the outcome of a draft with `most_error`, the largest sum there is. `power`: how what is lost grows with
// the sum; an agreement loses as much (1), points of top-1 go with its root (2). At most nine drafts are made.
//
// In order layers make up for one another, so the most is wanted that nearly holds as a draft: the first guess is what
// the excess says, then the geometric mean of what nearly holds and what does not. A solution uses what it uses:
// between that and what was allowed there is nothing else to try. If nothing that was tried holds as it is, half and a
// fifth of what nearly does are tried, should that not hold in order either.
Result<Allowance> FindAllowance(double most_error, const DraftOutcome& at_most, int power,
                                const std::function<Result<DraftOutcome>(double allowed)>& draft);

// What to allow next where a network that was pruned in order, with errors of `held` in sum, takes `use` of the budget:
// drafts say too much of what is lost in order, and MobileNetV2's said five times as much. At most twice `held`; 0
// where the room left is not worth another pruning.
double WiderAllowance(double held, double use, int power);

}  // namespace tamis
