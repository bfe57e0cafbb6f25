#include "src/compiler/optimize/optimize_trials.h"

#include <gtest/gtest.h>

namespace tamis {
namespace {

OptimizeTrial Trial(double relative, double modelled_error) {
  OptimizeTrial trial;
  trial.relative = relative;
  trial.modelled_error = modelled_error;
  trial.holds = trial.in_order = true;
  return trial;
}

TEST(OptimizeTrial, AMixtureCountsUpToAnErrorAndAUniformNetworkWhateverItsLayersLoseAlone) {
  OptimizeTrial mixture = Trial(0.5, 0.2);
  EXPECT_TRUE(mixture.Counts(0.2));
  EXPECT_FALSE(mixture.Counts(0.19));
  OptimizeTrial uniform = mixture;
  uniform.uniform = true;
  EXPECT_TRUE(uniform.Counts(0));
  // What samples kept to confirm refused is not asked again.
  mixture.refused = uniform.refused = true;
  EXPECT_FALSE(mixture.Counts(1));
  EXPECT_FALSE(uniform.Counts(1));
}

TEST(FastestThatHolds, IsTheMoreExactOfThoseThatTimingCantTellApart) {
  std::vector<OptimizeTrial> trials = {Trial(1, 0), Trial(0.500, 0.3), Trial(0.505, 0.1), Trial(0.4, 0.2)};
  const auto all = [](const OptimizeTrial&) { return true; };
  EXPECT_EQ(FastestThatHolds(trials, all), 3);
  trials[3].holds = false;
  EXPECT_EQ(FastestThatHolds(trials, all), 2);
  EXPECT_EQ(FastestThatHolds(trials, [](const OptimizeTrial& trial) { return trial.Counts(0.05); }), 0);
  EXPECT_EQ(FastestThatHolds(trials, [](const OptimizeTrial&) { return false; }), -1);
}

TEST(NearlyHolds, IsForDraftsWhoseLayersMayStillMakeUpForOneAnother) {
  const Budget budget = {.min_agreement = 0.9, .max_drop = -1};
  OptimizeTrial trial = Trial(0.5, 0.1);
  trial.holds = false;
  trial.in_order = false;
  trial.quality.agreement = 0.8;  // twice what may be lost
  EXPECT_TRUE(NearlyHolds(trial, budget));
  trial.in_order = true;
  EXPECT_FALSE(NearlyHolds(trial, budget));
  trial.in_order = false;
  trial.quality.agreement = 0.7;
  EXPECT_FALSE(NearlyHolds(trial, budget));
}

}  // namespace
}  // namespace tamis
