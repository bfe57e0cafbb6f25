// Where measurements lie.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

namespace tamis {

// The value that `share` (in [0, 1)) of the others are at most as large as, without interpolation; there must be at
// least one value.
inline double Quantile(std::vector<double> values, double share) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(static_cast<double>(values.size()) * share);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

// Of an even number the upper one of the middle two.
inline double Median(std::vector<double> values) {
  return Quantile(std::move(values), 0.5);
}

}  // namespace tamis
