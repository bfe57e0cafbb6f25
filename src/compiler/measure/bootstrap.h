// Confidence intervals by resampling (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).
#pragma once

#include <cstdint>
#include <span>

namespace tamis {

struct Interval {
  double low = 0, high = 0;
};

struct BootstrapOptions {
  uint64_t seed = 1;
  int resamples = 10'000;
  double confidence = 0.95;
};

// Of the mean of `values`, by percentiles of the means of as many values drawn with replacement. For a paired
// comparison the values are the pairs' differences: what makes a sample hard for both sides then cancels. The same
// seed gives the same interval on every machine. Empty input gives [0, 0].
Interval MeanInterval(std::span<const float> values, const BootstrapOptions& options);

// Of the mean difference of two shares that were counted on the same samples: values are 1, 0 and -1. Resampling alone
// says [0, 0] where no pair differs, however few pairs there are, so one pair of either sign is added, as Bonett and
// Price do (Adjusted Wald confidence interval for a difference of binomial proportions based on paired data, 2012).
Interval PairedShareInterval(std::span<const float> differences, const BootstrapOptions& options);

// Of the median.
Interval MedianInterval(std::span<const float> values, const BootstrapOptions& options);

}  // namespace tamis
