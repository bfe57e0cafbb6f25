#include "src/compiler/optimize/optimize_unproven.h"

#include <gtest/gtest.h>

#include "src/compiler/optimize/optimize.h"

namespace tamis {
namespace {

const Budget kBudget = {.min_agreement = 0, .max_drop = 1.5};

Quality Drop(double estimate, double error) {
  Quality quality;
  quality.drop = estimate;
  quality.drop_error = error;
  return quality;
}

TEST(UnprovenNetworks, TheFastestIsNamedWithTheSamplesThatWouldDo) {
  UnprovenNetworks unproven;
  unproven.Add("too much", 0.1, kBudget, Drop(2, 0.1), 100);
  unproven.Add("holds", 0.2, kBudget, Drop(0.2, 0.1), 100);
  unproven.Add("slower", 0.4, kBudget, Drop(0.5, 0.8), 100);
  unproven.Add("faster", 0.3, kBudget, Drop(0.5, 1), 100);
  const std::string text = unproven.FasterThan(0.5);
  EXPECT_NE(text.find("'faster' takes 0.30"), std::string::npos) << text;
  EXPECT_NE(text.find("some 271 to choose by"), std::string::npos) << text;  // 100 times (1.645 * 1 / 1)^2
  const size_t at = text.find("--samples ");
  ASSERT_NE(at, std::string::npos);
  const SplitSizes split = OptimizeSplit(std::stoll(text.substr(at + 10)));
  EXPECT_GE(split.choose, 271);
  EXPECT_GE(FirstToConfirm(split.confirm), 271);
}

TEST(UnprovenNetworks, NothingIsSaidOfWhatIsNoFaster) {
  UnprovenNetworks unproven;
  EXPECT_EQ(unproven.FasterThan(1), "");
  unproven.Add("as fast", 0.5, kBudget, Drop(0.5, 1), 100);
  EXPECT_EQ(unproven.FasterThan(0.5), "");
}

}  // namespace
}  // namespace tamis
