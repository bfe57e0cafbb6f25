// From the distribution of a tensor to the range that its 8-bit codes cover.
#pragma once

#include <string>

#include "src/quantize/histogram.h"
#include "tamis/status.h"
#include "tamis/tensor.h"

namespace tamis {

enum class Observer : uint8_t {
  kMinMax,      // everything that was seen
  kPercentile,  // all but a given share at both ends together
  kMse,         // the least mean squared error of rounding and clipping
  // The least divergence (Kullback and Leibler) of the coded distribution from the real one; kMse where too few values
  // were seen to know the distribution.
  kEntropy,
};
// "minmax", "percentile", "mse" or "entropy"; anything else is an error naming these.
Result<Observer> ParseObserver(const std::string& text);
std::string_view Name(Observer observer);

// number = scale * (code - zero)
struct CodeMap {
  float scale = 1;
  int zero = 0;
  DType dtype = DType::kUInt8;  // or kInt8
  double lowest() const;        // the numbers that the codes reach to
  double highest() const;
};

// u8 codes are asymmetric and always have a code for 0, which padding needs; s8 codes are symmetric with zero point 0.
CodeMap MapRange(double low, double high, DType dtype);

struct ObserverOptions {
  Observer observer = Observer::kMse;
  double percentile = 99.99;
};
// The best map of this distribution by the observer's measure. Nothing seen, or zeros alone: scale 1.
CodeMap ChooseMap(const Histogram& histogram, DType dtype, const ObserverOptions& options);

// Mean squared difference between the values and their codes' numbers.
double SquaredError(const Histogram& histogram, const CodeMap& map);
// Share of the values beyond the codes' numbers.
double ClippedShare(const Histogram& histogram, const CodeMap& map);

}  // namespace tamis
