#include "src/compiler/optimize/optimize_solver.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace tamis {
namespace {

struct Sum {
  double seconds = 0, error = 0;
};

Sum SumOf(const std::vector<std::vector<LayerOption>>& layers, const std::vector<size_t>& chosen) {
  Sum sum;
  for (size_t l = 0; l < layers.size(); ++l) {
    sum.seconds += layers[l][chosen[l]].seconds;
    sum.error += layers[l][chosen[l]].error;
  }
  return sum;
}

// Every choice there is.
double LeastSeconds(const std::vector<std::vector<LayerOption>>& layers, double allowed) {
  std::vector<size_t> at(layers.size(), 0);
  double least = std::numeric_limits<double>::infinity();
  while (true) {
    const Sum sum = SumOf(layers, at);
    if (sum.error <= allowed) least = std::min(least, sum.seconds);
    size_t l = 0;
    while (l < layers.size() && ++at[l] == layers[l].size()) at[l++] = 0;
    if (l == layers.size()) return least;
  }
}

TEST(SolveChoice, FindsWhatTryingEverythingFinds) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> unit(0, 1);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::vector<LayerOption>> layers(1 + random() % 6);
    double most = 0;
    for (auto& options : layers) {
      options.resize(1 + random() % 4);
      for (LayerOption& option : options) option = {unit(random), random() % 3 == 0 ? 0 : unit(random)};
      for (const LayerOption& option : options) most = std::max(most, option.error);
    }
    const double allowed = unit(random) * most * static_cast<double>(layers.size());
    const double least = LeastSeconds(layers, allowed);
    const std::vector<size_t> chosen = SolveChoice(layers, allowed);
    if (chosen.empty()) {
      EXPECT_EQ(least, std::numeric_limits<double>::infinity());
      continue;
    }
    const Sum sum = SumOf(layers, chosen);
    EXPECT_LE(sum.error, allowed * (1 + 1e-9));
    EXPECT_NEAR(sum.seconds, least, 1e-9);
  }
}

TEST(SolveChoice, NothingFitsWhereTheMostExactIsTooMuch) {
  EXPECT_TRUE(SolveChoice(std::vector<std::vector<LayerOption>>{{{1, 0.5}}, {{1, 0.6}, {2, 0.7}}}, 1).empty());
}

TEST(SolveChoice, AnAllowanceOfNothingTakesTheExactOptions) {
  const std::vector<std::vector<LayerOption>> layers = {{{1, 0.1}, {3, 0}}, {{2, 0}, {1, 0.2}}};
  EXPECT_EQ(SolveChoice(layers, 0), (std::vector<size_t>{1, 0}));
}

TEST(SolveChoice, NoLayersNeedNoChoice) {
  EXPECT_TRUE(SolveChoice({}, 1).empty());
}

// 120 layers of six options have more states than are kept; what comes out holds all the same, and is hardly slower
// than what the rest of the allowance would buy.
TEST(SolveChoice, ManyLayersStayWithinTheAllowance) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> unit(0, 1);
  std::vector<std::vector<LayerOption>> layers(120);
  for (auto& options : layers) {
    options = {{1, 0}};
    for (int o = 0; o < 5; ++o) options.push_back({unit(random), unit(random)});
  }
  const std::vector<size_t> chosen = SolveChoice(layers, 10), more = SolveChoice(layers, 10 * 1.01);
  ASSERT_EQ(chosen.size(), layers.size());
  EXPECT_LE(SumOf(layers, chosen).error, 10 * (1 + 1e-9));
  EXPECT_LE(SumOf(layers, more).seconds, SumOf(layers, chosen).seconds);
  EXPECT_LT(SumOf(layers, chosen).seconds, 0.6 * 120);
}

}  // namespace
}  // namespace tamis
