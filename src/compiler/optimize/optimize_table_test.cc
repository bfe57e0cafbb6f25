#include "src/compiler/optimize/optimize_table.h"

#include <gtest/gtest.h>

namespace tamis {
namespace {

// Shares of the dense run, by type and pattern.
LayerRow Row(const double (&shares)[3][3]) {
  LayerRow row;
  for (const LayerType type : kLayerTypes) {
    for (const LayerPattern pattern : kPatterns) {
      row.times[static_cast<size_t>(type)].share[static_cast<size_t>(pattern)] =
          shares[static_cast<size_t>(type)][static_cast<size_t>(pattern)];
    }
  }
  return row;
}

LayerRow Sparse(const double (&shares)[3][3]) {
  LayerRow row = Row(shares);
  row.may_be_sparse = true;
  return row;
}

std::vector<std::string> Names(const std::vector<LayerSetting>& settings) {
  std::vector<std::string> names;
  for (const LayerSetting& setting : settings) names.push_back(Name(setting));
  return names;
}

using Texts = std::vector<std::string>;

TEST(UsefulSettingsTest, BFloat16IsASettingWhereItIsMeasuredFaster) {
  // As on a CPU whose bf16 arithmetic has twice the rate.
  const LayerRow fast = Sparse({{1, 0.9, 0.8}, {0.5, 0.45, 0.4}, {0.3, 0.29, 0.2}});
  EXPECT_EQ(Names(UsefulSettings(fast)), (Texts{"dense", "bf16", "int8", "2:4 in int8", "paired 2:4 in int8"}));
  LayerRow kept = fast;
  kept.may_be_sparse = false;
  EXPECT_EQ(Names(UsefulSettings(kept)), (Texts{"dense", "bf16", "int8"}));
  // As on one where it is slower: no time is spent on measuring its error.
  const LayerRow slow = Sparse({{1, 0.9, 0.8}, {1.6, 1.5, 1.4}, {0, 0, 0}});
  EXPECT_EQ(Names(UsefulSettings(slow)), (Texts{"dense", "2:4", "paired 2:4"}));
  // Without int8, 2:4 in bf16 has to beat 2:4 in f32 and dense bf16.
  const LayerRow mixed = Sparse({{1, 0.6, 0.55}, {0.7, 0.5, 0.3}, {0, 0, 0}});
  EXPECT_EQ(Names(UsefulSettings(mixed)),
            (Texts{"dense", "bf16", "2:4", "paired 2:4", "2:4 in bf16", "paired 2:4 in bf16"}));
}

TEST(UsefulSettingsTest, NothingIsGainedWithinTheNoise) {
  EXPECT_EQ(Names(UsefulSettings(Sparse({{1, 0.98, 0.98}, {0.98, 0.98, 0.98}, {0.98, 0.98, 0.98}}))), Texts{"dense"});
}

TEST(UsefulSettingsTest, WhatBelongsToAUniformNetworkCountsThoughTheLayerAloneGainsNothing) {
  const LayerSetting paired = {LayerPattern::kPaired, LayerType::kInt8};
  LayerRow row = Sparse({{1, 1, 1}, {0, 0, 0}, {0.5, 0.5, 0.5}});
  EXPECT_EQ(Names(UsefulSettings(row, {&paired, 1})), (Texts{"dense", "int8", "paired 2:4 in int8"}));
  // What can't be sparse, or not int8, is as much of it as it can be.
  row.may_be_sparse = false;
  EXPECT_EQ(Names(UsefulSettings(row, {&paired, 1})), (Texts{"dense", "int8"}));
  EXPECT_EQ(Name(UniformSetting(Sparse({{1, 1, 1}, {0, 0, 0}, {0, 0, 0}}), paired)), "paired 2:4");
}

TEST(FindUsefulTest, AUniformNetworkHasToBeFasterThanTheMoreExactOnes) {
  using P = LayerPattern;
  using T = LayerType;
  std::vector<UniformTime> all = {{{P::kDense, T::kFull}, 1},     {{P::kDense, T::kInt8}, 0.4},
                                  {{P::kTwoFour, T::kFull}, 0.7}, {{P::kTwoFour, T::kInt8}, 0.405},
                                  {{P::kPaired, T::kFull}, 0.6},  {{P::kPaired, T::kInt8}, 0.3}};
  FindUseful(all);
  std::vector<std::string> useful;
  for (const UniformTime& time : all) {
    if (time.useful) useful.push_back(Name(time.setting));
  }
  EXPECT_EQ(useful, (Texts{"dense", "int8", "paired 2:4 in int8"}));
  // Nothing is known of what was not run.
  all[2].relative = 0;
  all[2].useful = true;
  FindUseful(all);
  EXPECT_TRUE(all[2].useful);
}

TEST(LayerRowTest, ErrorsOfTypeAndPatternAddUp) {
  LayerRow row = Row({{1, 0.9, 0.8}, {0.5, 0.45, 0.4}, {0.3, 0.25, 0.2}});
  row.pattern_error[1] = 0.02;
  row.type_error[1] = 0.001;
  row.type_error[2] = 0.005;
  row.float_extra = 0.1;
  EXPECT_DOUBLE_EQ(row.Error({LayerPattern::kTwoFour, LayerType::kBFloat16}), 0.021);
  EXPECT_DOUBLE_EQ(row.Error({LayerPattern::kDense, LayerType::kInt8}), 0.005);
  // Among int8 layers a float one pays for its conversions, whichever float it is.
  EXPECT_DOUBLE_EQ(row.Share({LayerPattern::kDense, LayerType::kBFloat16}), 0.6);
  EXPECT_DOUBLE_EQ(row.Share({LayerPattern::kPaired, LayerType::kInt8}), 0.2);
}

}  // namespace
}  // namespace tamis
