#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>

#include "src/sparsity/reconstruct.h"

namespace tamis {
namespace {

constexpr uint32_t kSeed = 71;

using RowMatrixF = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

std::vector<float> RandomWeight(const WeightLayout& layout, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> weight(static_cast<size_t>(layout.rows * layout.columns));
  for (float& w : weight) w = normal(random);
  return weight;
}

// Inputs that vary together; channel c is (1 + c % 3) times as large as the first.
Moments CorrelatedMoments(int64_t columns, int64_t outputs, std::mt19937& random, ThreadPool& pool) {
  std::normal_distribution<float> normal;
  const auto draw = [&] { return normal(random); };
  const int64_t rows = 8 * columns, factors = columns / 3;
  RowMatrixF x = RowMatrixF::NullaryExpr(rows, factors, draw) * RowMatrixF::NullaryExpr(factors, columns, draw);
  x += RowMatrixF::NullaryExpr(rows, columns, draw);
  for (int64_t c = 0; c < columns; ++c) x.col(c) *= static_cast<float>(1 + c % 3);
  Moments moments(columns, outputs);
  moments.Add(x.data(), nullptr, rows, pool);
  return moments;
}

Tensor AsTensor(const std::vector<float>& weight, const WeightLayout& layout) {
  return Tensor::Of<float>(DType::kFloat32, {layout.rows, layout.columns / layout.run, layout.run},
                           std::span<const float>(weight));
}

TEST(MaskRules, KeepTheLargestOfEveryGroup) {
  std::mt19937 random(kSeed);
  SCOPED_TRACE(kSeed);
  const WeightLayout layout = {5, 44, 22};  // runs end inside groups of four and of eight
  const std::vector<float> weight = RandomWeight(layout, random);
  for (const MaskRule& rule : kMaskRules) {
    SCOPED_TRACE(Name(rule));
    const Mask mask = MagnitudeMask(weight, layout, rule);
    const int64_t group = rule.group == 0 ? layout.columns : rule.group, run = rule.group == 0 ? group : layout.run;
    for (int64_t begin = 0; begin < layout.rows * layout.columns; begin += run) {
      for (int64_t at = begin; at < begin + run; at += group) {
        const int64_t end = std::min(at + group, begin + run);
        float least_kept = 1e9F, most_dropped = 0;
        int64_t kept = 0;
        for (int64_t i = at; i < end; ++i) {
          const float size = std::fabs(weight[static_cast<size_t>(i)]);
          kept += mask[static_cast<size_t>(i)];
          (mask[static_cast<size_t>(i)] ? least_kept : most_dropped) =
              mask[static_cast<size_t>(i)] ? std::min(least_kept, size) : std::max(most_dropped, size);
        }
        EXPECT_EQ(kept, rule.group == 0 ? 22 : std::min(rule.kept, end - at)) << at;
        EXPECT_GE(least_kept, most_dropped) << at;
      }
    }
    std::vector<float> masked = weight;
    ApplyMask(mask, masked);
    EXPECT_TRUE(Holds(AsTensor(masked, layout), rule));
    EXPECT_FALSE(Holds(AsTensor(weight, layout), rule));
    EXPECT_EQ(!FindBrokenGroup(AsTensor(masked, layout))->has_value(), rule.ImpliesTwoFour());
    const auto dropped = static_cast<size_t>(std::find(mask.begin(), mask.end(), 0) - mask.begin());
    masked[dropped] = 1;
    EXPECT_FALSE(Holds(AsTensor(masked, layout), rule));
  }
  EXPECT_EQ(Name(MaskRule()), "2:4");
  EXPECT_EQ(Name(kMaskRules[3]), "unstructured");
}

TEST(MaskRules, TheFreerTheRuleTheSmallerTheError) {
  std::mt19937 random(kSeed);
  SCOPED_TRACE(kSeed);
  ThreadPool pool(2);
  const WeightLayout layout = {16, 48, 48};
  const std::vector<float> weight = RandomWeight(layout, random);
  const Moments moments = CorrelatedMoments(layout.columns, layout.rows, random, pool);
  std::map<std::string, double> errors;
  for (const MaskRule& rule : kMaskRules) {
    ReconstructOptions options;
    options.rule = rule;
    options.damping = kUsualDamping;
    const auto pruned = Reconstruct(MakeObjective(weight, layout, {moments}, options, pool), layout, options, pool);
    ASSERT_TRUE(pruned.ok()) << pruned.status().message();
    EXPECT_TRUE(Holds(AsTensor(pruned->weight, layout), rule)) << Name(rule);
    errors[Name(rule)] = pruned->output_error;
  }
  EXPECT_LT(errors["unstructured"], errors["4:8"]);
  EXPECT_LT(errors["4:8"], errors["2:4"]);
  EXPECT_LT(errors["2:4"], errors["1:4"]);
}

// What dropping a weight alone costs is what counts, not its size; and fitting the rest is better than both.
TEST(MaskRules, ActivationsCount) {
  std::mt19937 random(kSeed);
  SCOPED_TRACE(kSeed);
  ThreadPool pool(1);
  const WeightLayout layout = {16, 48, 48};
  const std::vector<float> weight = RandomWeight(layout, random);
  const Moments moments = CorrelatedMoments(layout.columns, layout.rows, random, pool);
  const ReconstructOptions options;
  const Objective objective = MakeObjective(weight, layout, {moments}, options, pool);
  const PrunedWeight magnitude = PruneBySaliency(objective, layout, Saliency::kMagnitude, options, pool);
  const PrunedWeight activation = PruneBySaliency(objective, layout, Saliency::kActivation, options, pool);
  const auto fitted = Reconstruct(objective, layout, options, pool);
  ASSERT_TRUE(fitted.ok());
  EXPECT_EQ(magnitude.mask, MagnitudeMask(weight, layout));
  EXPECT_NE(activation.mask, magnitude.mask);
  EXPECT_LT(activation.output_error, magnitude.output_error);
  EXPECT_LT(fitted->output_error, activation.output_error);
  for (size_t i = 0; i < weight.size(); ++i) {
    EXPECT_EQ(activation.weight[i], activation.mask[i] ? weight[i] : 0.0F);
  }
}

}  // namespace
}  // namespace tamis
