#include "src/quantize/observer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace tamis {
namespace {

int LowestCode(DType dtype) {
  return dtype == DType::kUInt8 ? 0 : -128;
}
int HighestCode(DType dtype) {
  return dtype == DType::kUInt8 ? 255 : 127;
}

// Shares of the seen range that searches try.
constexpr double kLeastShare = 0.2, kStep = 0.01;
// With fewer values the bins show chance more than the distribution, and divergence would prefer the narrowest range.
constexpr int64_t kCountsForEntropy = 100 * Histogram::kBins;

struct Ends {
  double low, high;
};

Ends Percentile(const Histogram& histogram, double percentile) {
  const double beyond = static_cast<double>(histogram.count()) * (1 - percentile / 100) / 2;
  const auto bins = histogram.bins();
  const auto end = [&](bool from_low) {
    double passed = 0;
    for (int64_t i = 0; i < Histogram::kBins; ++i) {
      const int64_t bin = from_low ? i : Histogram::kBins - 1 - i;
      passed += static_cast<double>(bins[static_cast<size_t>(bin)]);
      if (passed > beyond) return histogram.Center(bin) + (from_low ? -0.5 : 0.5) * histogram.width();
    }
    return 0.0;
  };
  return {std::max<double>(end(true), histogram.min()), std::min<double>(end(false), histogram.max())};
}

// Divergence of the distribution as 256 codes show it from the distribution with its tails folded into the ends.
double Divergence(const Histogram& histogram, const CodeMap& map) {
  const auto bins = histogram.bins();
  const double low = map.lowest(), high = map.highest();
  std::vector<double> level_counts(256, 0), level_bins(256, 0), clipped(bins.size(), 0);
  const auto level_of = [&](double x) {
    const double code = std::nearbyint(x / map.scale) + map.zero;
    return static_cast<size_t>(std::clamp(code - LowestCode(map.dtype), 0.0, 255.0));
  };
  int64_t first = -1, last = -1;
  for (int64_t i = 0; i < Histogram::kBins; ++i) {
    const double x = histogram.Center(i);
    if (x < low - histogram.width() || x > high + histogram.width()) continue;
    if (first < 0) first = i;
    last = i;
  }
  if (first < 0) return std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < Histogram::kBins; ++i) {
    const auto count = static_cast<double>(bins[static_cast<size_t>(i)]);
    if (count == 0) continue;
    const int64_t at = std::clamp(i, first, last);
    clipped[static_cast<size_t>(at)] += count;
    if (at != i) continue;  // codes don't know of the tails
    level_counts[level_of(histogram.Center(i))] += count;
    level_bins[level_of(histogram.Center(i))] += 1;
  }
  double total = 0, coded = 0;
  for (const double count : clipped) total += count;
  for (const double count : level_counts) coded += count;
  if (total == 0 || coded == 0) return std::numeric_limits<double>::infinity();
  double divergence = 0;
  for (int64_t i = first; i <= last; ++i) {
    const double p = clipped[static_cast<size_t>(i)] / total;
    if (p == 0) continue;
    const size_t level = level_of(histogram.Center(i));
    const double q = level_bins[level] > 0 ? level_counts[level] / level_bins[level] / coded : 0;
    divergence += p * std::log(p / std::max(q, 1e-12));
  }
  return divergence;
}

// The map with the least cost among shrunk ranges: both ends together, then each alone.
template <class Cost>
CodeMap Search(const Histogram& histogram, DType dtype, Cost cost) {
  const double low = histogram.min(), high = histogram.max();
  double low_share = 1, high_share = 1;
  CodeMap best = MapRange(low, high, dtype);
  double least = cost(best);
  const auto attempt = [&](double a, double b) {
    const CodeMap map = MapRange(low * a, high * b, dtype);
    const double value = cost(map);
    if (!(value < least)) return;
    least = value;
    best = map;
    low_share = a;
    high_share = b;
  };
  for (double share = 1 - kStep; share >= kLeastShare; share -= kStep) attempt(share, share);
  if (dtype == DType::kInt8 || low >= 0 || high <= 0) return best;
  const double high_before = high_share;
  for (double share = 1; share >= kLeastShare; share -= kStep) attempt(share, high_before);
  const double low_after = low_share;
  for (double share = 1; share >= kLeastShare; share -= kStep) attempt(low_after, share);
  return best;
}

}  // namespace

Result<Observer> ParseObserver(const std::string& text) {
  for (Observer observer : {Observer::kMinMax, Observer::kPercentile, Observer::kMse, Observer::kEntropy}) {
    if (text == Name(observer)) return observer;
  }
  return UserError("observer '{}' is not known; use minmax, percentile, mse or entropy", text);
}

std::string_view Name(Observer observer) {
  switch (observer) {
    case Observer::kMinMax:
      return "minmax";
    case Observer::kPercentile:
      return "percentile";
    case Observer::kMse:
      return "mse";
    case Observer::kEntropy:
      break;
  }
  return "entropy";
}

double CodeMap::lowest() const {
  return static_cast<double>(scale) * (LowestCode(dtype) - zero);
}
double CodeMap::highest() const {
  return static_cast<double>(scale) * (HighestCode(dtype) - zero);
}

CodeMap MapRange(double low, double high, DType dtype) {
  CodeMap map;
  map.dtype = dtype;
  low = std::min(low, 0.0);
  high = std::max(high, 0.0);
  const double span = dtype == DType::kInt8 ? std::max(-low, high) / 127 : (high - low) / 255;
  // A scale whose inverse is no number codes nothing.
  if (!(span > static_cast<double>(std::numeric_limits<float>::min()) * 4)) return map;
  map.scale = static_cast<float>(span);
  if (dtype == DType::kUInt8) map.zero = static_cast<int>(std::clamp(std::nearbyint(-low / span), 0.0, 255.0));
  return map;
}

double SquaredError(const Histogram& histogram, const CodeMap& map) {
  const auto bins = histogram.bins();
  const double scale = map.scale;
  double sum = 0;
  for (int64_t i = 0; i < Histogram::kBins; ++i) {
    const int64_t count = bins[static_cast<size_t>(i)];
    if (count == 0) continue;
    const double x = histogram.Center(i);
    const double code =
        std::clamp<double>(std::nearbyint(x / scale) + map.zero, LowestCode(map.dtype), HighestCode(map.dtype));
    const double error = x - scale * (code - map.zero);
    sum += static_cast<double>(count) * error * error;
  }
  return histogram.count() > 0 ? sum / static_cast<double>(histogram.count()) : 0;
}

double ClippedShare(const Histogram& histogram, const CodeMap& map) {
  const auto bins = histogram.bins();
  const double half = static_cast<double>(map.scale) / 2;
  int64_t beyond = 0;
  for (int64_t i = 0; i < Histogram::kBins; ++i) {
    const double x = histogram.Center(i);
    if (x < map.lowest() - half || x > map.highest() + half) beyond += bins[static_cast<size_t>(i)];
  }
  return histogram.count() > 0 ? static_cast<double>(beyond) / static_cast<double>(histogram.count()) : 0;
}

CodeMap ChooseMap(const Histogram& histogram, DType dtype, const ObserverOptions& options) {
  Observer observer = options.observer;
  if (observer == Observer::kEntropy && histogram.count() < kCountsForEntropy) observer = Observer::kMse;
  switch (observer) {
    case Observer::kMinMax:
      return MapRange(histogram.min(), histogram.max(), dtype);
    case Observer::kPercentile: {
      const Ends ends = Percentile(histogram, options.percentile);
      return MapRange(ends.low, ends.high, dtype);
    }
    case Observer::kMse:
      return Search(histogram, dtype, [&](const CodeMap& map) { return SquaredError(histogram, map); });
    case Observer::kEntropy:
      return Search(histogram, dtype, [&](const CodeMap& map) { return Divergence(histogram, map); });
  }
  return MapRange(histogram.min(), histogram.max(), dtype);
}

}  // namespace tamis
