#include "src/compiler/optimize/optimize_score_drop.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace tamis {
namespace {

constexpr int64_t kNear = 16;  // samples before and after, by their lead, whose residuals each sample meets

int64_t Largest(const float* row, int64_t classes) {
  return std::max_element(row, row + classes) - row;
}

// Of the first class over the second.
float Lead(const float* row, int64_t classes) {
  const int64_t first = Largest(row, classes);
  float second = -std::numeric_limits<float>::infinity();
  for (int64_t c = 0; c < classes; ++c) {
    if (c != first) second = std::max(second, row[c]);
  }
  return row[first] - second;
}

// Least squares over all scores.
double Scale(const float* dense, const float* ours, int64_t count) {
  double product = 0, square = 0;
  for (int64_t i = 0; i < count; ++i) {
    product += static_cast<double>(dense[i]) * static_cast<double>(ours[i]);
    square += static_cast<double>(dense[i]) * static_cast<double>(dense[i]);
  }
  return square > 0 ? product / square : 1;
}

double MeanOf(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

// Of the mean of independent values.
double ErrorOf(const std::vector<double>& values) {
  if (values.size() < 2) return 0;
  const double mean = MeanOf(values);
  double square = 0;
  for (const double value : values) square += (value - mean) * (value - mean);
  const auto n = static_cast<double>(values.size());
  return std::sqrt(square / (n - 1) / n);
}

}  // namespace

ScoreDrop EstimateScoreDrop(const Tensor& dense, const Tensor& ours, std::span<const int64_t> labels) {
  const int64_t samples = dense.dim(0), classes = dense.dim(1);
  const float *d = dense.Data<float>(), *o = ours.Data<float>();
  ScoreDrop drop;
  if (samples == 0) return drop;
  const auto s = static_cast<float>(Scale(d, o, samples * classes));
  std::vector<float> residual(static_cast<size_t>(samples * classes));
  for (size_t i = 0; i < residual.size(); ++i) residual[i] = o[i] - s * d[i];

  std::vector<float> leads;
  for (int64_t i = 0; i < samples; ++i) leads.push_back(Lead(d + i * classes, classes));
  std::vector<int64_t> order(static_cast<size_t>(samples));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::sort(order.begin(), order.end(),
            [&](int64_t a, int64_t b) { return leads[static_cast<size_t>(a)] < leads[static_cast<size_t>(b)]; });

  std::vector<double> counted(static_cast<size_t>(samples)), by_sample(counted.size());
  std::vector<double> by_residual(counted.size(), 0), met(counted.size(), 0);
  std::vector<float> scores(static_cast<size_t>(classes));
  for (int64_t place = 0; place < samples; ++place) {
    const int64_t i = order[static_cast<size_t>(place)];
    const int64_t answer = Largest(d + i * classes, classes);
    const int64_t right = labels.empty() ? answer : labels[static_cast<size_t>(i)];
    const double before = answer == right ? 1 : 0;
    const auto lost = [&](int64_t ours_says) { return 100 * (before - (ours_says == right ? 1.0 : 0.0)); };
    counted[static_cast<size_t>(i)] = lost(Largest(o + i * classes, classes));
    const int64_t first = std::max<int64_t>(place - kNear, 0), last = std::min(place + kNear, samples - 1);
    for (int64_t near = first; near <= last; ++near) {
      const int64_t j = order[static_cast<size_t>(near)];
      for (int64_t c = 0; c < classes; ++c) {
        scores[static_cast<size_t>(c)] = s * d[i * classes + c] + residual[static_cast<size_t>(j * classes + c)];
      }
      const double points = lost(Largest(scores.data(), classes));
      by_sample[static_cast<size_t>(i)] += points / static_cast<double>(last - first + 1);
      by_residual[static_cast<size_t>(j)] += points;
      met[static_cast<size_t>(j)] += 1;
    }
  }
  for (size_t j = 0; j < met.size(); ++j) by_residual[j] /= std::max(met[j], 1.0);
  drop.estimate = MeanOf(by_sample);
  drop.estimate_error = std::hypot(ErrorOf(by_sample), ErrorOf(by_residual));
  drop.counted = MeanOf(counted);
  return drop;
}

}  // namespace tamis
