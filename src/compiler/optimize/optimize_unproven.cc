#include "src/compiler/optimize/optimize_unproven.h"

#include <fmt/format.h>

#include "src/compiler/optimize/optimize.h"
#include "src/compiler/optimize/optimize_trials.h"

namespace tamis {
namespace {

// Of all samples, so that `each` choose and as many are asked first to confirm.
int64_t SamplesFor(int64_t each) {
  constexpr int64_t kStep = 128;
  int64_t all = kStep;
  while (OptimizeSplit(all).choose < each || FirstToConfirm(OptimizeSplit(all).confirm) < each) all += kStep;
  return all;
}

}  // namespace

void UnprovenNetworks::Add(const std::string& label, double relative, const Budget& budget, const Quality& quality,
                           int64_t samples) {
  const int64_t enough = budget.SamplesToHold(quality, samples);
  if (enough == 0 || (fastest_ && fastest_->relative <= relative)) return;
  fastest_ = Network{label, relative, enough};
}

std::string UnprovenNetworks::FasterThan(double relative) const {
  if (!fastest_ || fastest_->relative > kClearlyFaster * relative) return {};
  return fmt::format(
      "'{}' takes {:.2f} of the dense network's time, the chosen one {:.2f}. By its estimate it is within the budget, "
      "but these samples are too few to be sure: some {} to choose by and as many to confirm with would decide, which "
      "are --samples {}",
      fastest_->label, fastest_->relative, relative, fastest_->enough, SamplesFor(fastest_->enough));
}

}  // namespace tamis
