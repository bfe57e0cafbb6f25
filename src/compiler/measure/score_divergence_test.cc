#include "src/compiler/measure/score_divergence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace tamis {
namespace {

Tensor Scores(int64_t classes, std::vector<float> values) {
  return Tensor::Of<float>(DType::kFloat32, {static_cast<int64_t>(values.size()) / classes, classes}, values);
}

// By the definition, of probabilities.
double Divergence(const std::vector<double>& p, const std::vector<double>& q) {
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) sum += p[i] * std::log(p[i] / q[i]);
  return sum;
}

std::vector<double> Softmax(const std::vector<double>& x) {
  double sum = 0;
  for (const double v : x) sum += std::exp(v);
  std::vector<double> p;
  for (const double v : x) p.push_back(std::exp(v) / sum);
  return p;
}

TEST(ScoreDivergenceTest, ScoresAreTakenThroughTheSoftmax) {
  const double expected = (Divergence(Softmax({1, 2, 3}), Softmax({1, 2, 2.5})) +
                           Divergence(Softmax({-4, 0.5, 0}), Softmax({-4, 0, 0.25}))) /
                          2;
  EXPECT_NEAR(MeanDivergence(Scores(3, {1, 2, 3, -4, 0.5F, 0}), Scores(3, {1, 2, 2.5F, -4, 0, 0.25F})), expected,
              1e-12);
  // A constant that is added to all scores of a sample changes no answer.
  EXPECT_NEAR(MeanDivergence(Scores(2, {1, 2}), Scores(2, {101, 102})), 0, 1e-12);
  EXPECT_NEAR(MeanDivergence(Scores(2, {1000, -1000}), Scores(2, {1000, -1000})), 0, 1e-12);  // no overflow
}

TEST(ScoreDivergenceTest, ProbabilitiesAreTakenAsTheyAre) {
  EXPECT_NEAR(MeanDivergence(Scores(2, {0.25F, 0.75F}), Scores(2, {0.5F, 0.5F})), Divergence({0.25, 0.75}, {0.5, 0.5}),
              1e-12);
  EXPECT_TRUE(std::isfinite(MeanDivergence(Scores(2, {0.5F, 0.5F}), Scores(2, {1, 0}))));
}

TEST(ScoreDivergenceTest, WhatIsNotFiniteIsInfinitelyFar) {
  EXPECT_EQ(MeanDivergence(Scores(2, {1, 2}), Scores(2, {1, std::numeric_limits<float>::quiet_NaN()})),
            std::numeric_limits<double>::infinity());
  EXPECT_EQ(MeanDivergence(Tensor(DType::kFloat32, {0, 3}), Tensor(DType::kFloat32, {0, 3})), 0);
}

}  // namespace
}  // namespace tamis
