#include "src/compiler/measure/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace tamis {
namespace {

// Indices below `count`, two of each draw of the generator. The distributions of <random> differ between libraries.
// The bias of multiply and shift is below count / 2^32.
class Indices {
 public:
  Indices(uint64_t seed, size_t count) : random_(seed), count_(count) {}
  size_t Next() {
    if (spare_) {
      spare_ = false;
      return Scale(word_ >> 32);
    }
    word_ = random_();
    spare_ = true;
    return Scale(word_ & 0xffffffffU);
  }

 private:
  size_t Scale(uint64_t bits) const { return static_cast<size_t>((bits * count_) >> 32); }
  std::mt19937_64 random_;
  uint64_t count_, word_ = 0;
  bool spare_ = false;
};

// Percentiles by linear interpolation between order statistics.
Interval Percentiles(std::vector<double> values, double confidence) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    const double place = share * static_cast<double>(values.size() - 1);
    const auto below = static_cast<size_t>(place);
    const size_t above = std::min(below + 1, values.size() - 1);
    return values[below] + (place - static_cast<double>(below)) * (values[above] - values[below]);
  };
  return {at((1 - confidence) / 2), at((1 + confidence) / 2)};
}

}  // namespace

Interval MeanInterval(std::span<const float> values, const BootstrapOptions& options) {
  if (values.empty() || options.resamples < 1) return {};
  Indices indices(options.seed, values.size());
  std::vector<double> means(static_cast<size_t>(options.resamples));
  for (double& mean : means) {
    double sum = 0;
    for (size_t i = 0; i < values.size(); ++i) sum += static_cast<double>(values[indices.Next()]);
    mean = sum / static_cast<double>(values.size());
  }
  return Percentiles(std::move(means), options.confidence);
}

Interval PairedShareInterval(std::span<const float> differences, const BootstrapOptions& options) {
  std::vector<float> widened(differences.begin(), differences.end());
  widened.push_back(1);
  widened.push_back(-1);
  return MeanInterval(widened, options);
}

Interval MedianInterval(std::span<const float> values, const BootstrapOptions& options) {
  if (values.empty() || options.resamples < 1) return {};
  Indices indices(options.seed, values.size());
  std::vector<double> medians(static_cast<size_t>(options.resamples));
  std::vector<float> drawn(values.size());
  const size_t half = values.size() / 2;
  for (double& median : medians) {
    for (float& value : drawn) value = values[indices.Next()];
    std::nth_element(drawn.begin(), drawn.begin() + static_cast<std::ptrdiff_t>(half), drawn.end());
    median = static_cast<double>(drawn[half]);
    if (drawn.size() % 2 == 0) {
      const float below = *std::max_element(drawn.begin(), drawn.begin() + static_cast<std::ptrdiff_t>(half));
      median = (median + static_cast<double>(below)) / 2;
    }
  }
  return Percentiles(std::move(medians), options.confidence);
}

}  // namespace tamis
