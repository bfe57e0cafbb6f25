#include "src/compiler/optimize/optimize_reason.h"

#include <gtest/gtest.h>

namespace tamis {
namespace {

constexpr LayerSetting kDense = {LayerPattern::kDense, LayerType::kFull};
constexpr LayerSetting kPairedInt8 = {LayerPattern::kPaired, LayerType::kInt8};

// Milliseconds of each type, dense, 2:4 and paired.
LayerRow Row(const double (&ms)[3][3], std::vector<LayerSetting> settings) {
  LayerRow row;
  for (size_t type = 0; type < 3; ++type) {
    for (size_t pattern = 0; pattern < 3; ++pattern) {
      row.times[type].seconds[pattern] = ms[type][pattern] / 1e3;
      row.times[type].share[pattern] = ms[type][pattern];
    }
  }
  row.settings = std::move(settings);
  return row;
}

TEST(ReasonOf, NothingWhereEverythingWasDone) {
  const LayerRow row = Row({{1, 0.8, 0.6}, {0.6, 0.5, 0.4}, {0.3, 0.25, 0.2}}, {kDense, kPairedInt8});
  EXPECT_EQ(ReasonOf({}, row, kPairedInt8, {}), "");
}

TEST(ReasonOf, AccuracyWhereItWouldHaveBeenFaster) {
  const LayerRow row = Row({{1, 0.8, 0.6}, {0.6, 0.5, 0.4}, {0.3, 0.25, 0.2}},
                           {kDense, {LayerPattern::kDense, LayerType::kBFloat16}, kPairedInt8});
  EXPECT_EQ(ReasonOf({}, row, kDense, {.int8 = true, .asks_bfloat16 = true}),
            "dense for accuracy; float for accuracy; f32 for accuracy");
}

TEST(ReasonOf, TimesWhereItIsNotFaster) {
  const LayerRow row = Row({{1, 1.1, 1.2}, {1.3, 1.4, 1.5}, {1.6, 1.7, 1.8}}, {kDense});
  EXPECT_EQ(ReasonOf({}, row, kDense, {.int8 = true, .asks_bfloat16 = true}),
            "dense: 2:4 is not faster (1.100 ms, paired 1.200 ms, dense 1.000 ms); float: int8 is not faster (1.600 ms "
            "against "
            "1.000 ms); f32: bf16 is not faster (1.300 ms against 1.000 ms)");
}

TEST(ReasonOf, WhatForbidsItGoesFirst) {
  CandidateLayer layer;
  layer.sparse_reason = "its inputs are 3 channels";
  layer.int8_reason = "kept by the user";
  const LayerRow row = Row({{1, 0.8, 0.6}, {0, 0, 0}, {0.3, 0.25, 0.2}}, {kDense, kPairedInt8});
  EXPECT_EQ(ReasonOf(layer, row, kDense, {.int8 = true, .asks_bfloat16 = true}),
            "dense: its inputs are 3 channels; float: kept by the user");
  EXPECT_EQ(ReasonOf(layer, row, kDense, {.int8 = false}), "dense: its inputs are 3 channels; float: as asked");
}

}  // namespace
}  // namespace tamis
