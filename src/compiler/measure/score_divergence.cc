#include "src/compiler/measure/score_divergence.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tamis {
namespace {

constexpr double kLeast = 1e-9;  // of a probability that is given as such: a network's zeros are rounded

}  // namespace

bool AreProbabilities(const Tensor& scores) {
  const int64_t classes = scores.dim(1);
  for (int64_t row = 0; row < scores.dim(0); ++row) {
    const float* const x = scores.Data<float>() + row * classes;
    double sum = 0;
    for (int64_t c = 0; c < classes; ++c) {
      if (!(x[c] >= 0)) return false;
      sum += static_cast<double>(x[c]);
    }
    if (std::fabs(sum - 1) > 1e-3) return false;
  }
  return true;
}

std::vector<double> LogProbabilities(const float* row, int64_t classes, bool probabilities) {
  std::vector<double> logs(row, row + classes);
  if (probabilities) {
    for (double& value : logs) value = std::log(std::max(value, kLeast));
    return logs;
  }
  const double most = *std::max_element(logs.begin(), logs.end());
  double sum = 0;
  for (const double value : logs) sum += std::exp(value - most);
  for (double& value : logs) value -= most + std::log(sum);
  return logs;
}

double MeanDivergence(const Tensor& dense, const Tensor& ours) {
  const int64_t samples = dense.dim(0), classes = dense.dim(1);
  if (samples == 0) return 0;
  const bool probabilities = AreProbabilities(dense);
  double sum = 0;
  for (int64_t row = 0; row < samples; ++row) {
    const auto p = LogProbabilities(dense.Data<float>() + row * classes, classes, probabilities);
    const auto q = LogProbabilities(ours.Data<float>() + row * classes, classes, probabilities);
    double divergence = 0;
    for (size_t c = 0; c < p.size(); ++c) divergence += std::exp(p[c]) * (p[c] - q[c]);
    if (!std::isfinite(divergence)) return std::numeric_limits<double>::infinity();
    sum += std::max(divergence, 0.0);  // below 0 by rounding only
  }
  return sum / static_cast<double>(samples);
}

}  // namespace tamis
