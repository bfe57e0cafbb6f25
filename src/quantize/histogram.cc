#include "src/quantize/histogram.h"

#include <algorithm>
#include <cmath>

namespace tamis {

void Histogram::Grow(float magnitude) {
  // Below this, widths would leave the range of doubles; such values are zero to every scale.
  constexpr double kLeast = 0x1p-60;
  if (limit_ == 0) {
    limit_ = std::max(std::exp2(std::ceil(std::log2(std::max<double>(magnitude, kLeast)))), kLeast);
    if (!(magnitude < limit_)) limit_ *= 2;
    return;
  }
  while (!(magnitude < limit_)) {
    std::vector<int64_t> merged(bins_.size(), 0);
    for (int64_t i = 0; i < kBins; ++i) merged[static_cast<size_t>(i / 2 + kBins / 4)] += bins_[static_cast<size_t>(i)];
    bins_ = std::move(merged);
    limit_ *= 2;
  }
}

void Histogram::Add(std::span<const float> values) {
  float low = min(), high = max(), magnitude = 0;
  int64_t finite = 0;
  for (const float x : values) {
    if (!std::isfinite(x)) continue;
    if (count_ + finite++ == 0) low = high = x;
    low = std::min(low, x);
    high = std::max(high, x);
    magnitude = std::max(magnitude, std::abs(x));
  }
  not_finite_ += static_cast<int64_t>(values.size()) - finite;
  if (finite == 0) return;
  if (limit_ == 0 || !(magnitude < limit_)) Grow(magnitude);
  const double scale = static_cast<double>(kBins) / (2 * limit_);
  for (const float x : values) {
    if (!std::isfinite(x)) continue;
    const auto bin = static_cast<int64_t>(std::floor(static_cast<double>(x) * scale)) + kBins / 2;
    ++bins_[static_cast<size_t>(std::clamp<int64_t>(bin, 0, kBins - 1))];
  }
  count_ += finite;
  min_ = low;
  max_ = high;
}

}  // namespace tamis
