#include "src/compiler/optimize/optimize_answer_worth.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "src/compiler/optimize/optimize_score_drop.h"

namespace tamis {
namespace {

Tensor Scores(int64_t samples, int64_t classes, const std::vector<float>& values) {
  return Tensor::Of<float>(DType::kFloat32, {samples, classes}, values);
}

TEST(AnswerWorth, IsTheChanceThatTheBestOfTwoIsRightLessThatOfTheOther) {
  // Probabilities of 0.6 and 0.2, and of 0.7 and 0.2, as such and as logarithms with a constant a row.
  const Tensor given = Scores(2, 3, {0.2F, 0.6F, 0.2F, 0.7F, 0.1F, 0.2F});
  Tensor logs = given.Clone();
  for (int64_t i = 0; i < 6; ++i) logs.Data<float>()[i] = std::log(given.Data<float>()[i]) + (i < 3 ? 4.0F : -7.0F);
  for (const Tensor& scores : {given, logs}) {
    const AnswerWorth worth = WorthOfAnswers(scores);
    EXPECT_TRUE(worth.by_probabilities);
    ASSERT_EQ(worth.of_samples.size(), 2U);
    EXPECT_NEAR(worth.of_samples[0], 0.5, 1e-6);
    EXPECT_NEAR(worth.of_samples[1], 5.0 / 9, 1e-6);
  }
}

TEST(AnswerWorth, ScoresThatAreNoLogarithmsCountWhole) {
  const AnswerWorth worth = WorthOfAnswers(Scores(2, 3, {0.9F, 0.2F, -0.3F, 0.1F, 0.5F, 0.3F}));  // cosines
  EXPECT_FALSE(worth.by_probabilities);
  EXPECT_EQ(worth.of_samples, (std::vector<double>{1, 1}));
}

TEST(AnswerWorth, ScoresThatAreNotFiniteCountWhole) {
  const AnswerWorth worth = WorthOfAnswers(Scores(2, 2, {NAN, 1, 9, 0}));
  EXPECT_EQ(worth.of_samples[0], 1);
}

// Right classes are drawn from the dense network's own probabilities, so it is as sure as it is right. What is expected
// without labels is at least what the labels say, and much less than the answers that change.
TEST(AnswerWorth, ExpectsWhatLabelsSay) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  constexpr int64_t kSamples = 20000, kClasses = 10;
  Tensor dense(DType::kFloat32, {kSamples, kClasses}), ours(DType::kFloat32, {kSamples, kClasses});
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < kSamples; ++i) {
    float* d = dense.Data<float>() + i * kClasses;
    std::vector<double> probabilities;
    for (int64_t c = 0; c < kClasses; ++c) {
      d[c] = 3 * normal(random);
      ours.Data<float>()[i * kClasses + c] = d[c] + 0.4F * normal(random);
      probabilities.push_back(std::exp(d[c]));
    }
    labels.push_back(std::discrete_distribution<int64_t>(probabilities.begin(), probabilities.end())(random));
  }
  const ScoreDrop labelled = EstimateScoreDrop(dense, ours, labels), expected = EstimateScoreDrop(dense, ours, {});
  EXPECT_TRUE(expected.by_probabilities);
  EXPECT_FALSE(labelled.by_probabilities);
  EXPECT_GT(expected.estimate + 3 * std::hypot(expected.estimate_error, labelled.estimate_error), labelled.estimate);
  EXPECT_LT(expected.estimate,
            2 * labelled.estimate + 3 * std::hypot(expected.estimate_error, labelled.estimate_error));
  EXPECT_LT(2 * expected.estimate, expected.counted);
}

}  // namespace
}  // namespace tamis
