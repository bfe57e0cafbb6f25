#include "src/tuner/assign_precision.h"

#include <gtest/gtest.h>

#include <random>

namespace tamis {
namespace {

// The best of all labellings, by trying each.
double BestByTrying(const std::vector<PrecisionNode>& nodes, const std::vector<PrecisionValue>& values) {
  double best = 1e30;
  for (uint32_t bits = 0; bits < (1u << nodes.size()); ++bits) {
    std::vector<bool> low(nodes.size());
    bool allowed = true;
    for (size_t n = 0; n < nodes.size(); ++n) {
      low[n] = ((bits >> n) & 1) != 0;
      allowed = allowed && (!low[n] || nodes[n].may_be_low);
    }
    if (allowed) best = std::min(best, LabellingSeconds(nodes, values, low));
  }
  return best;
}

TEST(AssignPrecision, IsTheBestOfAllLabellings) {
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> seconds(0, 1e-3);
    const int count = 2 + static_cast<int>(random() % 9);
    std::vector<PrecisionNode> nodes(static_cast<size_t>(count));
    for (PrecisionNode& node : nodes) node = {seconds(random), seconds(random), random() % 5 != 0};
    std::vector<PrecisionValue> values;
    for (int producer = PrecisionValue::kFull; producer < count; ++producer) {
      PrecisionValue value;
      value.producer = producer;
      for (int reader = producer + 1; reader < count; ++reader) {
        if (random() % 3 == 0) value.readers.push_back(reader);
      }
      if (random() % 4 == 0) value.readers.push_back(PrecisionValue::kFull);
      value.to_low_seconds = seconds(random) / 4;
      value.to_full_seconds = seconds(random) / 4;
      if (producer != PrecisionValue::kFull || random() % 2 == 0) values.push_back(std::move(value));
    }
    const std::vector<bool> low = AssignPrecision(nodes, values);
    for (size_t n = 0; n < nodes.size(); ++n) EXPECT_TRUE(!low[n] || nodes[n].may_be_low);
    EXPECT_NEAR(LabellingSeconds(nodes, values, low), BestByTrying(nodes, values), 1e-12);
  }
}

TEST(AssignPrecision, AConversionIsPaidOnceHoweverManyReadIt) {
  // Three products that gain 2 us each read one value that costs 5 us to convert.
  const std::vector<PrecisionNode> nodes(3, PrecisionNode{10e-6, 8e-6, true});
  const std::vector<PrecisionValue> values = {{PrecisionValue::kFull, {0, 1, 2}, 5e-6, 5e-6}};
  EXPECT_EQ(AssignPrecision(nodes, values), std::vector<bool>({true, true, true}));
  EXPECT_EQ(AssignPrecision({nodes[0], nodes[1]}, {{PrecisionValue::kFull, {0, 1}, 5e-6, 5e-6}}),
            std::vector<bool>({false, false}));
}

TEST(AssignPrecision, TiesStayFull) {
  EXPECT_EQ(AssignPrecision({{1e-6, 1e-6, true}}, {}), std::vector<bool>({false}));
  EXPECT_EQ(AssignPrecision({}, {}), std::vector<bool>());
}

}  // namespace
}  // namespace tamis
