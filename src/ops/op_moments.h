// Mean and population variance in double, in two passes: the one-pass form cancels for data far from zero.
#pragma once

#include <span>

namespace tamis {

struct SampleMoments {
  double mean = 0;
  double variance = 0;
};

// `values` must not be empty.
template <class T>
SampleMoments SampleMomentsOf(std::span<const T> values) {
  SampleMoments moments;
  const auto count = static_cast<double>(values.size());
  for (T value : values) moments.mean += static_cast<double>(value);
  moments.mean /= count;
  for (T value : values) {
    const double off = static_cast<double>(value) - moments.mean;
    moments.variance += off * off;
  }
  moments.variance /= count;
  return moments;
}

}  // namespace tamis
