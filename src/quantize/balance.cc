#include "src/quantize/balance.h"

#include <algorithm>
#include <cmath>

#include "tamis/status.h"

namespace tamis {
namespace {

// The expected squared error as a share of the outputs' squares, summed over the weights.
double RelativeNoise(const ChannelSizes& sizes, std::span<const BalancedWeight> weights,
                     const std::vector<double>& factors) {
  const size_t channels = factors.size();
  double widest = 0;
  for (size_t j = 0; j < channels; ++j) widest = std::max(widest, sizes.largest[j] * factors[j]);
  const double x_step = widest / 127;
  double sum = 0;
  for (const BalancedWeight& weight : weights) {
    double noise = 0, energy = 0;
    for (int64_t n = 0; n < weight.outputs; ++n) {
      const float* row = weight.rows.data() + static_cast<size_t>(n) * channels;
      double largest = 0, weight_squares = 0, input_squares = 0;
      for (size_t j = 0; j < channels; ++j) {
        const double w = static_cast<double>(row[j]) / factors[j];
        largest = std::max(largest, std::fabs(w));
        weight_squares += w * w;
        input_squares += sizes.mean_square[j] * factors[j] * factors[j];
        energy += static_cast<double>(row[j]) * row[j] * sizes.mean_square[j];
      }
      const double w_step = largest / 127;
      noise += (x_step * x_step * weight_squares + w_step * w_step * input_squares) / 12;
    }
    if (energy > 0) sum += noise / energy;
  }
  return sum;
}

}  // namespace

Balance ChooseBalance(const ChannelSizes& sizes, std::span<const BalancedWeight> weights) {
  constexpr int kSteps = 20;
  const size_t channels = sizes.largest.size();
  std::vector<double> weight_largest(channels, 0);
  for (const BalancedWeight& weight : weights) {
    TAMIS_ASSERT(weight.rows.size() == static_cast<size_t>(weight.outputs) * channels);
    for (size_t i = 0; i < weight.rows.size(); ++i) {
      double& largest = weight_largest[i % channels];
      largest = std::max<double>(largest, std::fabs(weight.rows[i]));
    }
  }
  std::vector<double> factors(channels, 1);
  Balance best;
  best.before = best.after = RelativeNoise(sizes, weights, factors);
  best.factors.assign(channels, 1.0F);
  for (int step = 0; step <= kSteps; ++step) {
    const double a = static_cast<double>(step) / kSteps;
    double widest = 0, widest_before = 0;
    for (size_t j = 0; j < channels; ++j) {
      const bool used = sizes.largest[j] > 0 && weight_largest[j] > 0;
      factors[j] = used ? std::pow(weight_largest[j], 1 - a) / std::pow(sizes.largest[j], a) : 0;
      widest = std::max(widest, sizes.largest[j] * factors[j]);
      widest_before = std::max(widest_before, sizes.largest[j]);
    }
    if (!(widest > 0) || !std::isfinite(widest)) continue;
    for (double& factor : factors) factor = factor > 0 ? factor * widest_before / widest : 1;  // the range stays
    const double noise = RelativeNoise(sizes, weights, factors);
    if (!(noise < best.after)) continue;
    best.after = noise;
    std::transform(factors.begin(), factors.end(), best.factors.begin(),
                   [](double factor) { return static_cast<float>(factor); });
  }
  return best;
}

}  // namespace tamis
