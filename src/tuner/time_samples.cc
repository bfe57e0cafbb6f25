#include "src/tuner/time_samples.h"

#include <algorithm>

namespace tamis {

std::vector<double> TimeSamples::Counted() const {
  std::vector<double> counted = alone_;
  if (!Enough()) counted.insert(counted.end(), interrupted_.begin(), interrupted_.end());
  std::sort(counted.begin(), counted.end());
  return counted;
}

void TimeSamples::Write(TimedKernel* result) {
  const std::vector<double> counted = Counted();
  const size_t count = counted.size();
  result->samples = static_cast<int64_t>(count);
  result->seconds = RoundedSeconds(counted[count / 2]);
  // Of so few that the quartiles are the ends, half of what lies between these.
  const double share = count < 4 ? 0.5 : 1;
  const double spread = share * (counted[count * 3 / 4] - counted[count / 4]) / counted[count / 2];
  result->spread = Enough() ? spread : std::max(spread, kUnsettled);
}

}  // namespace tamis
