#include "src/compiler/optimize/optimize_allowance.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace tamis {
namespace {

// A network whose drafts hold up to one sum of errors and nearly hold up to another; what is solved for uses all that
// it is allowed, or, with `step`, the multiple of it below.
struct Fake {
  double holds, nearly, step = 0;
  std::vector<double> tried = {};

  DraftOutcome At(double allowed) {
    tried.push_back(allowed);
    const double used = step > 0 ? step * std::floor(allowed / step) : allowed;
    return {used <= holds, used <= nearly, std::sqrt(used / holds) - 1, used};
  }
  Allowance Find(double most) {
    const DraftOutcome at_most = At(most);
    tried.clear();
    auto found = FindAllowance(most, at_most, 2, [&](double allowed) -> Result<DraftOutcome> { return At(allowed); });
    EXPECT_TRUE(found.ok());
    return *found;
  }
};

TEST(FindAllowance, EverythingIfEverythingHolds) {
  Fake network = {.holds = 2, .nearly = 3};
  const Allowance found = network.Find(1);
  EXPECT_EQ(found.nearly, 1);
  EXPECT_EQ(found.holds, 1);
  EXPECT_TRUE(network.tried.empty());
}

TEST(FindAllowance, ComesCloseToTheMostThatNearlyHolds) {
  Fake network = {.holds = 0.01, .nearly = 0.04};
  const Allowance found = network.Find(1);
  EXPECT_LE(found.nearly, 0.04);
  EXPECT_GE(found.nearly, 0.04 / 1.05);
  EXPECT_LE(network.tried.size(), 9U);
  // The first guess is what the excess says: points of top-1 go with the root of the errors' sum.
  EXPECT_NEAR(network.tried.front(), 0.01, 1e-12);
  EXPECT_NEAR(found.holds, 0.01, 1e-12);
}

TEST(FindAllowance, TriesAFractionSoThatSomethingHoldsAsItIs) {
  // The excess says nothing useful, as where a budget is missed by its interval only.
  Fake network = {.holds = 0.1, .nearly = 1};
  const DraftOutcome at_most = {.holds = false, .nearly = true, .excess = 0, .modelled_error = 1};
  auto found =
      FindAllowance(1, at_most, 1, [&](double allowed) -> Result<DraftOutcome> { return network.At(allowed); });
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->nearly, 1);
  EXPECT_EQ(network.tried, (std::vector<double>{0.5, 0.2}));
  EXPECT_EQ(found->holds, 0);  // nor does a fifth hold: the first pruning in order decides
}

TEST(FindAllowance, NothingIsTriedTwiceBetweenTwoSolutions) {
  // Of 0.5 the layers use 0.3, of all that is below 0.3 nothing: one draft says so.
  Fake network = {.holds = 0.05, .nearly = 0.1, .step = 0.3};
  const Allowance found = network.Find(0.9);
  EXPECT_GT(found.nearly, 0.3 / 1.05 / 1.05);
  EXPECT_LT(found.nearly, 0.3);
  EXPECT_EQ(found.holds, found.nearly);
  EXPECT_LE(network.tried.size(), 7U);
}

TEST(FindAllowance, SaysThatNothingNearlyHolds) {
  Fake network = {.holds = 1e-9, .nearly = 1e-9};
  const DraftOutcome at_most = {.holds = false, .nearly = false, .excess = 1, .modelled_error = 1};
  auto found =
      FindAllowance(1, at_most, 1, [&](double allowed) -> Result<DraftOutcome> { return network.At(allowed); });
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->nearly, 0);
  EXPECT_EQ(network.tried.size(), 7U);
  for (size_t i = 1; i < network.tried.size(); ++i) EXPECT_LT(network.tried[i], network.tried[i - 1]);
}

TEST(FindAllowance, AnErrorEndsIt) {
  auto found = FindAllowance(1, {}, 1, [](double) -> Result<DraftOutcome> { return UserError("stopped"); });
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.status().message(), "stopped");
}

TEST(WiderAllowance, UsesTheRoomThatIsLeftAndNoMore) {
  EXPECT_EQ(WiderAllowance(0.1, 0.8, 2), 0);  // not worth it
  EXPECT_NEAR(WiderAllowance(0.1, 0.6, 1), 0.15, 1e-12);
  EXPECT_NEAR(WiderAllowance(0.1, 0.75, 2), 0.144, 1e-12);
  EXPECT_NEAR(WiderAllowance(0.1, 0.2, 1), 0.2, 1e-12);
  EXPECT_NEAR(WiderAllowance(0.1, 0, 2), 0.2, 1e-12);
  EXPECT_NEAR(WiderAllowance(0.1, -0.3, 2), 0.2, 1e-12);  // nothing is lost
}

}  // namespace
}  // namespace tamis
