#include "src/engine/value_record.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tamis {

uint64_t ValueRecord::Count() const {
  return std::accumulate(bins.begin(), bins.end(), uint64_t{0});
}

ValueWatch::ValueWatch(ValueRecord expected) : expected_(std::move(expected)), bins_(expected_.bins.size(), 0) {}

void ValueWatch::Add(std::span<const float> values) {
  if (bins_.empty()) return;
  const double span = expected_.high - expected_.low;
  const double scale = span > 0 ? static_cast<double>(bins_.size()) / span : 0;
  const auto last = static_cast<int64_t>(bins_.size()) - 1;
  for (const float value : values) {
    const double x = static_cast<double>(value);
    if (!std::isfinite(x)) {
      ++broken_;
    } else if (x < expected_.low) {
      ++below_;
    } else if (x > expected_.high) {
      ++above_;
    } else {
      ++bins_[static_cast<size_t>(std::clamp<int64_t>(static_cast<int64_t>((x - expected_.low) * scale), 0, last))];
    }
  }
  count_ += values.size();
}

double ValueWatch::Outside() const {
  return count_ == 0 ? 0 : static_cast<double>(below_ + above_ + broken_) / static_cast<double>(count_);
}

double ValueWatch::Divergence() const {
  const double expected = static_cast<double>(expected_.Count()), live = static_cast<double>(count_);
  if (expected == 0 || live == 0) return 0;
  double bits = 0;
  const auto add = [&](double p, double q) {
    const double middle = (p + q) / 2;
    if (p > 0) bits += p / 2 * std::log2(p / middle);
    if (q > 0) bits += q / 2 * std::log2(q / middle);
  };
  for (size_t i = 0; i < bins_.size(); ++i) {
    add(static_cast<double>(expected_.bins[i]) / expected, static_cast<double>(bins_[i]) / live);
  }
  add(0, static_cast<double>(below_) / live);
  add(0, static_cast<double>(above_ + broken_) / live);
  return std::clamp(bits, 0.0, 1.0);
}

}  // namespace tamis
