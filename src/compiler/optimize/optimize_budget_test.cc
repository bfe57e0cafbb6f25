#include "src/compiler/optimize/optimize_budget.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "src/compiler/measure/compare.h"
#include "src/compiler/optimize/optimize_answer_worth.h"
#include "src/compiler/optimize/optimize_score_drop.h"

namespace tamis {
namespace {

TEST(Budget, HoldsAtTheBadEndOfTheInterval) {
  Quality quality;
  quality.agreement = 0.975;
  const Budget budget = {.min_agreement = 0.97, .max_drop = -1};
  EXPECT_TRUE(budget.Holds(quality));
  quality.agreement_error = 0.002;
  EXPECT_TRUE(budget.Holds(quality));
  quality.agreement_error = 0.004;
  EXPECT_FALSE(budget.Holds(quality));
  EXPECT_NEAR(budget.Excess(quality), (0.97 - (0.975 - 1.645 * 0.004)) / 0.03, 1e-9);
}

TEST(Budget, UseIsTheLargerShare) {
  Quality quality;
  quality.agreement = 0.985;
  quality.drop = 0.3;
  EXPECT_NEAR((Budget{.min_agreement = 0.97, .max_drop = 1.5}).Use(quality), 0.5, 1e-9);
  quality.drop = 0.9;
  EXPECT_NEAR((Budget{.min_agreement = 0.97, .max_drop = 1.5}).Use(quality), 0.6, 1e-9);
  EXPECT_EQ((Budget{.min_agreement = 0.97, .max_drop = 1.5}).Excess(quality), 0);
}

TEST(Budget, BothHaveToHold) {
  Quality quality;
  quality.agreement = 0.99;
  quality.drop = 2;
  EXPECT_TRUE((Budget{.min_agreement = 0.9, .max_drop = -1}).Holds(quality));
  EXPECT_FALSE((Budget{.min_agreement = 0.9, .max_drop = 1.5}).Holds(quality));
  EXPECT_FALSE((Budget{.min_agreement = 0.995, .max_drop = 3}).Holds(quality));
  EXPECT_TRUE((Budget{.min_agreement = 0.98, .max_drop = 3}).Holds(quality));
}

TEST(Budget, WhatWasCountedIsNotJudged) {
  Quality quality;
  quality.drop = 0.2;
  quality.counted_drop = 2;
  EXPECT_TRUE((Budget{.min_agreement = 0, .max_drop = 1.5}).Holds(quality));
  quality.drop_error = 1;
  EXPECT_FALSE((Budget{.min_agreement = 0, .max_drop = 1.5}).Holds(quality));
}

TEST(Budget, SaysHowManySamplesWouldDo) {
  Quality quality;
  quality.drop = 0.5;
  quality.drop_error = 1.2;
  const Budget budget = {.min_agreement = 0, .max_drop = 1.5};
  // The interval has to be half as wide, but for rounding: 1.645 * 1.2 of a room of 1.
  EXPECT_EQ(budget.SamplesToHold(quality, 100), static_cast<int64_t>(std::ceil(100 * std::pow(1.645 * 1.2, 2))));
  quality.mixed = true;
  quality.mixed_drop = 1.6;  // is beyond it, however many there are
  EXPECT_EQ(budget.SamplesToHold(quality, 100), 0);
  quality.mixed_drop = 1;
  quality.mixed_drop_error = 1.2;  // has half the room
  EXPECT_EQ(budget.SamplesToHold(quality, 100), static_cast<int64_t>(std::ceil(400 * std::pow(1.645 * 1.2, 2))));
  quality.drop_error = quality.mixed_drop_error = 0.1;
  EXPECT_EQ(budget.SamplesToHold(quality, 100), 0);  // it holds
}

TEST(Budget, ItHoldsOnMixturesToo) {
  Quality quality;
  quality.drop = 0.2;
  quality.mixed_drop = 2;
  const Budget budget = {.min_agreement = 0, .max_drop = 1.5};
  EXPECT_TRUE(budget.Holds(quality));  // there were none
  quality.mixed = true;
  EXPECT_FALSE(budget.Holds(quality));
  EXPECT_NEAR(budget.Excess(quality), 0.5 / 1.5, 1e-9);
  EXPECT_NE(budget.Describe(quality).find("on mixtures 2.00"), std::string::npos);
  quality.mixed_drop = 1.4;
  EXPECT_TRUE(budget.Holds(quality));
  quality.mixed_drop_error = 0.1;
  EXPECT_FALSE(budget.Holds(quality));
}

// Scores whose leads are spread evenly and a noise that is the same for all: the estimate from 100 samples is closer to
// the share of 20,000 than counting them is, and its error says how close.
TEST(ScoreDrop, FewSamplesEstimateManySamples) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  const auto draw = [&](int64_t samples, Tensor* dense, Tensor* ours) {
    *dense = Tensor(DType::kFloat32, {samples, 10});
    *ours = Tensor(DType::kFloat32, {samples, 10});
    for (int64_t i = 0; i < samples * 10; ++i) {
      dense->Data<float>()[i] = 5 * normal(random);
      ours->Data<float>()[i] = 0.8f * dense->Data<float>()[i] + 0.3f * normal(random);
    }
  };
  Tensor dense, ours;
  draw(20000, &dense, &ours);
  const double truth = EstimateScoreDrop(dense, ours, TopOne(dense)).counted;
  double of_estimates = 0, of_counts = 0, of_errors = 0;
  constexpr int kRounds = 60;
  for (int round = 0; round < kRounds; ++round) {
    draw(100, &dense, &ours);
    const ScoreDrop drop = EstimateScoreDrop(dense, ours, TopOne(dense));
    of_estimates += (drop.estimate - truth) * (drop.estimate - truth);
    of_counts += (drop.counted - truth) * (drop.counted - truth);
    of_errors += drop.estimate_error * drop.estimate_error;
  }
  EXPECT_LT(of_estimates, of_counts);
  // The standard error is right within a factor: squares over 60 rounds spread by some 20 %.
  EXPECT_LT(of_estimates, 2.5 * of_errors);
  EXPECT_GT(of_estimates, of_errors / 4);
}

// Where compression blurs each sample's own first two classes, which differ from sample to sample, and moves the rest
// hardly: noise that is paired by places of classes would meet classes that nothing hangs on.
TEST(ScoreDrop, NoiseOfTheFirstClassesIsSeen) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  constexpr int64_t kSamples = 4000, kClasses = 20;
  Tensor dense(DType::kFloat32, {kSamples, kClasses}), ours = dense.Clone();
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < kSamples; ++i) {
    float* d = dense.Data<float>() + i * kClasses;
    float* o = ours.Data<float>() + i * kClasses;
    for (int64_t c = 0; c < kClasses; ++c) d[c] = normal(random);
    const int64_t first = i % kClasses,
                  second = (7 * i + 3) % kClasses == first ? (first + 1) % kClasses : (7 * i + 3) % kClasses;
    d[first] = 8 + 2 * normal(random);
    d[second] = 6;
    labels.push_back(first);
    for (int64_t c = 0; c < kClasses; ++c) o[c] = d[c] + 0.01F * normal(random);
    o[first] += 1.5F * normal(random);
  }
  for (const bool labelled : {true, false}) {
    const ScoreDrop drop =
        EstimateScoreDrop(dense, ours, labelled ? std::span<const int64_t>(labels) : std::span<const int64_t>());
    EXPECT_GT(drop.counted, 2);
    double shown = drop.counted;  // without labels each changed answer for its worth
    if (!labelled) {
      const AnswerWorth worth = WorthOfAnswers(dense);
      const std::vector<int64_t> before = TopOne(dense), after = TopOne(ours);
      shown = 0;
      for (size_t i = 0; i < before.size(); ++i)
        shown += before[i] == after[i] ? 0 : 100 * worth.of_samples[i] / kSamples;
    }
    EXPECT_NEAR(drop.estimate, shown, 3 * drop.estimate_error) << labelled;
    EXPECT_LT(drop.estimate_error, 1);
  }
}

TEST(ScoreDrop, EqualScoresLoseNothing) {
  const Tensor scores = Tensor::Of<float>(DType::kFloat32, {2, 3}, std::vector<float>{3, 1, 2, 0, 1, 5});
  Tensor scaled = scores.Clone();
  for (float& score : scaled.Span<float>()) score *= 0.5f;
  EXPECT_EQ(EstimateScoreDrop(scores, scaled, {}).estimate, 0);
  EXPECT_EQ(EstimateScoreDrop(scores, scaled, {}).counted, 0);
}

// A wrong answer that becomes right counts against one that becomes wrong.
TEST(ScoreDrop, LabelsCountBothWays) {
  const Tensor dense = Tensor::Of<float>(DType::kFloat32, {2, 2}, std::vector<float>{2, 1, 2, 1});
  const Tensor ours = Tensor::Of<float>(DType::kFloat32, {2, 2}, std::vector<float>{1, 2, 1, 2});
  EXPECT_EQ(EstimateScoreDrop(dense, ours, std::vector<int64_t>{0, 1}).counted, 0);
  EXPECT_EQ(EstimateScoreDrop(dense, ours, std::vector<int64_t>{1, 1}).counted, -100);
  EXPECT_EQ(EstimateScoreDrop(dense, ours, {}).counted, 100);
}

}  // namespace
}  // namespace tamis
