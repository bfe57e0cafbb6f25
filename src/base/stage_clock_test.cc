#include "src/base/stage_clock.h"

#include <gtest/gtest.h>

namespace tamis {
namespace {

TEST(StageClock, EveryStageIsEstimatedByItself) {
  StageClock clock;
  EXPECT_EQ(clock.Left(0, 4, 100), 0);
  EXPECT_EQ(clock.Left(1, 4, 100.5), 0) << "too early";
  EXPECT_DOUBLE_EQ(clock.Left(1, 4, 110), 30);
  EXPECT_DOUBLE_EQ(clock.Left(3, 4, 130), 10);
  EXPECT_EQ(clock.Left(4, 4, 140), 0);
  EXPECT_EQ(clock.Left(0, 35, 1000), 0) << "another stage";
  EXPECT_DOUBLE_EQ(clock.Left(5, 35, 1010), 60);
  EXPECT_EQ(clock.Left(0, 35, 2000), 0) << "one of as many steps";
  EXPECT_DOUBLE_EQ(clock.Left(7, 35, 2001), 4);
}

TEST(StageClock, AStageMayBeginInItsMiddle) {
  StageClock clock;
  EXPECT_EQ(clock.Left(20, 40, 7), 0);
  EXPECT_DOUBLE_EQ(clock.Left(30, 40, 17), 10);
}

}  // namespace
}  // namespace tamis
