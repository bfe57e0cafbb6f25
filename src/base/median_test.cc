#include "src/base/median.h"

#include <gtest/gtest.h>

namespace tamis {
namespace {

TEST(Quantile, IsAMeasuredValue) {
  const std::vector<double> values = {5, 1, 4, 2, 3};
  EXPECT_EQ(Quantile(values, 0), 1);
  EXPECT_EQ(Quantile(values, 0.1), 1);
  EXPECT_EQ(Quantile(values, 0.25), 2);
  EXPECT_EQ(Quantile(values, 0.99), 5);
  EXPECT_EQ(Quantile({7}, 0.9), 7);
}

TEST(Median, IsTheUpperOfAnEvenNumber) {
  EXPECT_EQ(Median({3, 1, 2}), 2);
  EXPECT_EQ(Median({4, 1, 3, 2}), 3);
}

}  // namespace
}  // namespace tamis
