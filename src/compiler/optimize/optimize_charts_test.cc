#include "src/compiler/optimize/optimize_charts.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace tamis {
namespace {

OptimizeTrial Trial(const std::string& label, double ms, double drop, double mixed_drop, bool holds) {
  OptimizeTrial trial;
  trial.label = label;
  trial.seconds = ms / 1e3;
  trial.holds = holds;
  trial.quality.has_scores = trial.quality.mixed = true;
  trial.quality.drop = drop;
  trial.quality.mixed_drop = mixed_drop;
  return trial;
}

size_t Count(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// A trial whose samples show no drop may miss the budget by its mixtures: it is drawn where it misses.
TEST(TradeChartTest, DrawsTheDropThatDecides) {
  OptimizeResult result;
  result.budget.max_drop = 1.5;
  result.trials = {Trial("dense", 4, 0, 0, true), Trial("all int8", 1, 0, 2.25, false)};
  result.chosen = 0;
  const std::string svg = TradeChart(result);
  EXPECT_NE(svg.find("all int8: 1.000 ms, 2.25 points, does not hold"), std::string::npos) << svg;
  EXPECT_NE(svg.find("the worse of samples and mixtures"), std::string::npos) << svg;
  for (OptimizeTrial& trial : result.trials) trial.quality.mixed = false;
  EXPECT_EQ(TradeChart(result).find("mixtures"), std::string::npos);
}

// Trials that lie at the same place: their numbers never cover one another, and the chosen one always has its own.
TEST(TradeChartTest, NumbersThatWouldCoverOthersAreLeftOut) {
  OptimizeResult result;
  result.budget.max_drop = 1.5;
  for (int i = 0; i < 40; ++i) result.trials.push_back(Trial(fmt::format("t{}", i), 1, 0.5, 0, true));
  result.trials.push_back(Trial("dense", 9, 0, 0, true));
  result.chosen = 17;
  const std::string svg = TradeChart(result);
  EXPECT_EQ(Count(svg, ">18 chosen</text>"), 1U) << svg;
  EXPECT_EQ(Count(svg, "<title>"), 41U);
  EXPECT_LT(Count(svg, "<text class=\"muted\""), 20U);
}

}  // namespace
}  // namespace tamis
