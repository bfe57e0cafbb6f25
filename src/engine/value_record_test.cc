#include "src/engine/value_record.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace tamis {
namespace {

ValueRecord Record() {
  ValueRecord record;
  record.low = -1;
  record.high = 1;
  record.bins = {10, 30, 30, 10};
  return record;
}

// As many values in each part as the record has, times `times`.
std::vector<float> Alike(int times) {
  std::vector<float> values;
  const float middles[] = {-0.75F, -0.25F, 0.25F, 0.75F};
  const int counts[] = {10, 30, 30, 10};
  for (int i = 0; i < 4; ++i) values.insert(values.end(), static_cast<size_t>(counts[i] * times), middles[i]);
  return values;
}

TEST(ValueWatch, EqualDistributionsDoNotDiverge) {
  ValueWatch watch(Record());
  watch.Add(Alike(3));
  EXPECT_EQ(watch.count(), 240U);
  EXPECT_EQ(watch.Outside(), 0);
  EXPECT_NEAR(watch.Divergence(), 0, 1e-12);
}

TEST(ValueWatch, NothingInCommonIsOneBit) {
  ValueWatch watch(Record());
  const std::vector<float> far(50, 7.0F);
  watch.Add(far);
  EXPECT_EQ(watch.Outside(), 1);
  EXPECT_NEAR(watch.Divergence(), 1, 1e-12);
}

TEST(ValueWatch, EdgesAndBrokenValuesHaveTheirPlaces) {
  ValueWatch watch(Record());
  const std::vector<float> values = {-1, 1, std::numeric_limits<float>::quiet_NaN(), -1.5F};
  watch.Add(values);
  EXPECT_DOUBLE_EQ(watch.Outside(), 0.5);
}

TEST(ValueWatch, HalfElsewhereIsTheFormulasValue) {
  ValueWatch watch(Record());
  std::vector<float> values = Alike(1);
  values.insert(values.end(), 80, 3.0F);
  watch.Add(values);
  // Every bin has p and p / 2, and 1/2 lies where nothing was expected.
  const double expected = 0.5 * std::log2(1 / 0.75) + 0.25 * std::log2(0.5 / 0.75) + 0.25 * std::log2(0.5 / 0.25);
  EXPECT_NEAR(watch.Divergence(), expected, 1e-12);
}

TEST(ValueWatch, WithoutARecordNothingIsSaid) {
  ValueWatch watch{ValueRecord()};
  const std::vector<float> values = {1, 2};
  watch.Add(values);
  EXPECT_EQ(watch.Outside(), 0);
  EXPECT_EQ(watch.Divergence(), 0);
}

}  // namespace
}  // namespace tamis
