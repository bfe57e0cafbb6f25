#include "src/sparsity/round_codes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "src/sparsity/reconstruct.h"

namespace tamis {
namespace {

using RowMatrixF = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
constexpr uint32_t kSeed = 61;

TEST(RoundCodes, ErrorsMakeUpForOneAnother) {
  std::mt19937 random(kSeed);
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::normal_distribution<float> normal;
  const auto draw = [&] { return normal(random); };
  ThreadPool pool(2);
  for (const int64_t columns : {24, 300}) {  // one block of columns, and three
    const WeightLayout layout = {9, columns, columns};
    const int64_t rows = 4 * columns;
    const RowMatrixF mix = RowMatrixF::NullaryExpr(columns / 4, columns, draw);
    const RowMatrixF latent = RowMatrixF::NullaryExpr(rows, columns / 4, draw);
    const RowMatrixF x =
        latent * mix + 0.2F * RowMatrixF::NullaryExpr(rows, columns, draw) + RowMatrixF::Constant(rows, columns, 0.5F);
    RowMatrixF w = RowMatrixF::NullaryExpr(layout.rows, columns, draw);
    for (int64_t i = 0; i < w.size(); i += 3) w.data()[i] = 0;
    std::vector<float> scales;
    for (int64_t row = 0; row < layout.rows; ++row) scales.push_back(w.row(row).cwiseAbs().maxCoeff() / 20);
    for (const bool free_bias : {false, true}) {
      Moments moments(columns, layout.rows);
      moments.Add(x.data(), nullptr, rows, pool);
      const std::span<const float> weight(w.data(), static_cast<size_t>(w.size()));
      const Objective objective(ToMatrix(weight, layout.rows, columns), moments, kUsualDamping, free_bias, pool);
      const RoundedWeight rounded = RoundToCodes(objective, weight, scales, pool);
      for (int64_t i = 0; i < w.size(); ++i) {
        const float v = rounded.weight[static_cast<size_t>(i)], scale = scales[static_cast<size_t>(i / columns)];
        if (w.data()[i] == 0) {
          EXPECT_EQ(v, 0) << i;
        }
        EXPECT_NEAR(v / scale, std::nearbyint(v / scale), 1e-4) << i;
        EXPECT_LE(std::fabs(v), 127.5F * scale);
      }
      EXPECT_GT(rounded.output_error, 0);
      EXPECT_LT(rounded.output_error, 0.6 * rounded.nearest_error) << columns;

      RowMatrix y = x.cast<double>() * w.transpose().cast<double>();
      RowMatrix error =
          y - x.cast<double>() *
                  Eigen::Map<const RowMatrixF>(rounded.weight.data(), layout.rows, columns).transpose().cast<double>();
      EXPECT_EQ(rounded.bias_delta.size(), free_bias ? static_cast<size_t>(layout.rows) : 0);
      if (free_bias) {
        error.rowwise() -= Eigen::Map<const Eigen::RowVectorXf>(rounded.bias_delta.data(), layout.rows).cast<double>();
        y.rowwise() -= y.colwise().mean().eval();
      }
      // Moments are sums of up to 256 products in f32.
      EXPECT_NEAR(rounded.output_error, error.squaredNorm() / y.squaredNorm(), 2e-5);
    }
  }
}

TEST(RoundCodes, RowsOfZerosAndUnknownInputs) {
  ThreadPool pool(1);
  std::vector<float> w(16, 0.0F);
  w[9] = 0.26F;
  const std::vector<float> scales = {1, 0.1F};
  const RoundedWeight rounded =
      RoundToCodes(Objective(ToMatrix(w, 2, 8), Moments(8, 2), kUsualDamping, true, pool), w, scales, pool);
  for (size_t i = 0; i < 16; ++i) EXPECT_NEAR(rounded.weight[i], i == 9 ? 0.3F : 0.0F, 1e-6) << i;
}

// What pruning has left is made up for by the codes: they come closer to the dense outputs than those that are rounded
// towards the pruned ones.
TEST(RoundCodes, CodesOfAPrunedWeightAreFittedToTheDenseOutputs) {
  std::mt19937 random(kSeed);
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::normal_distribution<float> normal;
  const auto draw = [&] { return normal(random); };
  ThreadPool pool(2);
  const int64_t columns = 48, rows = 200;
  const WeightLayout layout = {16, columns, columns};
  const RowMatrixF x = RowMatrixF::NullaryExpr(rows, 12, draw) * RowMatrixF::NullaryExpr(12, columns, draw) +
                       0.3F * RowMatrixF::NullaryExpr(rows, columns, draw);
  const RowMatrixF w = RowMatrixF::NullaryExpr(layout.rows, columns, draw);
  RowMatrixF half = w;
  for (int64_t i = 0; i < half.size(); i += 2) half.data()[i] = 0;
  std::vector<float> scales;
  for (int64_t row = 0; row < layout.rows; ++row) scales.push_back(w.row(row).cwiseAbs().maxCoeff() / 15);
  Moments moments(columns, layout.rows);
  moments.Add(x.data(), nullptr, rows, pool);
  const auto span = [](const RowMatrixF& matrix) {
    return std::span<const float>(matrix.data(), static_cast<size_t>(matrix.size()));
  };
  const auto error = [&](const RoundedWeight& rounded) {
    const Eigen::Map<const RowMatrixF> v(rounded.weight.data(), layout.rows, columns);
    return (x * (w - v).transpose()).cast<double>().squaredNorm();
  };
  const auto towards = [&](const RowMatrixF& target) {
    const Objective objective(target.cast<double>(), moments, kUsualDamping, false, pool);
    return RoundToCodes(objective, span(half), scales, pool);
  };
  const RoundedWeight joint = towards(w), apart = towards(half);
  for (int64_t i = 0; i < half.size(); i += 2) EXPECT_EQ(joint.weight[static_cast<size_t>(i)], 0) << i;
  EXPECT_LT(error(joint), 0.8 * error(apart));
}

}  // namespace
}  // namespace tamis
