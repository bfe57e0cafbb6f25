// The distribution of one tensor's elements, collected as they stream by.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tamis {

// Bins of equal width over [-limit, limit), where limit is a power of two that doubles as larger values come: what was
// counted before is merged, never lost. Not synchronised.
class Histogram {
 public:
  static constexpr int64_t kBins = 4096;

  Histogram() : bins_(static_cast<size_t>(kBins), 0) {}
  void Add(std::span<const float> values);

  int64_t count() const { return count_; }            // finite values
  int64_t not_finite() const { return not_finite_; }  // NaNs and infinities, which are counted nowhere else
  // Of the finite values; 0 where there is none.
  float min() const { return count_ > 0 ? min_ : 0; }
  float max() const { return count_ > 0 ? max_ : 0; }

  std::span<const int64_t> bins() const { return bins_; }
  double width() const { return 2 * limit_ / static_cast<double>(kBins); }
  // The middle of a bin.
  double Center(int64_t bin) const { return (static_cast<double>(bin - kBins / 2) + 0.5) * width(); }

 private:
  void Grow(float magnitude);

  std::vector<int64_t> bins_;
  double limit_ = 0;  // 0: nothing was counted
  int64_t count_ = 0, not_finite_ = 0;
  float min_ = 0, max_ = 0;
};

}  // namespace tamis
