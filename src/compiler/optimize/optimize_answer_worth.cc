#include "src/compiler/optimize/optimize_answer_worth.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "src/compiler/measure/score_divergence.h"
#include "tamis/status.h"

namespace tamis {
namespace {

constexpr double kLeastMean = 0.5;  // of scores that say how sure a network is: one answer in four wrong is 0.5

}  // namespace

AnswerWorth WorthOfAnswers(const Tensor& dense) {
  const int64_t samples = dense.dim(0), classes = dense.dim(1);
  TAMIS_ASSERT(classes >= 2);
  AnswerWorth worth;
  const bool probabilities = AreProbabilities(dense);
  double sum = 0;
  for (int64_t i = 0; i < samples; ++i) {
    std::vector<double> logs = LogProbabilities(dense.Data<float>() + i * classes, classes, probabilities);
    std::partial_sort(logs.begin(), logs.begin() + 2, logs.end(), std::greater<>());
    // (p - q) / (p + q) of their logarithms. Scores that are not finite tell nothing.
    const double one = std::tanh((logs[0] - logs[1]) / 2);
    worth.of_samples.push_back(std::isfinite(one) ? one : 1);
    sum += worth.of_samples.back();
  }
  worth.by_probabilities = sum >= kLeastMean * static_cast<double>(samples);
  if (!worth.by_probabilities) std::fill(worth.of_samples.begin(), worth.of_samples.end(), 1.0);
  return worth;
}

}  // namespace tamis
