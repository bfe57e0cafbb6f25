#include "src/compiler/optimize/optimize_score_drop.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "src/compiler/optimize/optimize_answer_worth.h"

namespace tamis {
namespace {

// Samples before and after, by their margins, whose noise each sample meets. A sixth of all: twice as many begin to
// pair what is not alike, half as many leave the interval a tenth wider (docs/optimize.md).
int64_t NearOf(int64_t samples) {
  return std::max<int64_t>(16, samples / 12);
}

int64_t Largest(const float* row, int64_t classes) {
  return std::max_element(row, row + classes) - row;
}

// Of class `right` over the best other one.
double Margin(const float* row, int64_t classes, int64_t right) {
  float other = -std::numeric_limits<float>::infinity();
  for (int64_t c = 0; c < classes; ++c) {
    if (c != right) other = std::max(other, row[c]);
  }
  return static_cast<double>(row[right]) - static_cast<double>(other);
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
  struct Sample {
    double margin = 0, noise = 0;  // of the dense scores times s, and what ours has beyond that
    bool right = false;            // before
    double worth = 100;            // of its answer, in points
    bool RightWith(double other) const { return margin + other > 0 || (margin + other == 0 && right); }
  };
  const int64_t count = dense.dim(0), classes = dense.dim(1);
  const float *d = dense.Data<float>(), *o = ours.Data<float>();
  ScoreDrop drop;
  if (count == 0) return drop;
  const double scale = Scale(d, o, count * classes);
  const AnswerWorth worth = labels.empty() ? WorthOfAnswers(dense) : AnswerWorth();
  drop.by_probabilities = worth.by_probabilities;
  std::vector<Sample> samples;
  std::vector<double> counted;
  for (int64_t i = 0; i < count; ++i, d += classes, o += classes) {
    const int64_t answer = Largest(d, classes);
    const int64_t right = labels.empty() ? answer : labels[static_cast<size_t>(i)];
    Sample& sample = samples.emplace_back();
    sample.margin = scale * Margin(d, classes, right);
    sample.noise = Margin(o, classes, right) - sample.margin;
    sample.right = answer == right;
    if (labels.empty()) sample.worth = 100 * worth.of_samples[static_cast<size_t>(i)];
    counted.push_back(100 * (static_cast<double>(sample.right) - static_cast<double>(Largest(o, classes) == right)));
  }
  std::stable_sort(samples.begin(), samples.end(),
                   [](const Sample& a, const Sample& b) { return a.margin < b.margin; });

  const int64_t near = NearOf(count);
  std::vector<double> by_sample(samples.size(), 0), by_noise(samples.size(), 0), met(samples.size(), 0);
  for (int64_t i = 0; i < count; ++i) {
    const Sample& sample = samples[static_cast<size_t>(i)];
    const int64_t first = std::max<int64_t>(i - near, 0), last = std::min(i + near, count - 1);
    for (int64_t j = first; j <= last; ++j) {
      const bool right = sample.RightWith(samples[static_cast<size_t>(j)].noise);
      const double points = sample.worth * (static_cast<double>(sample.right) - static_cast<double>(right));
      by_sample[static_cast<size_t>(i)] += points / static_cast<double>(last - first + 1);
      by_noise[static_cast<size_t>(j)] += points;
      met[static_cast<size_t>(j)] += 1;
    }
  }
  for (size_t j = 0; j < met.size(); ++j) by_noise[j] /= std::max(met[j], 1.0);
  drop.estimate = MeanOf(by_sample);
  drop.estimate_error = std::hypot(ErrorOf(by_sample), ErrorOf(by_noise));
  drop.counted = MeanOf(counted);
  return drop;
}

}  // namespace tamis
