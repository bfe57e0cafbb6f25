#include "src/sparsity/reconstruct.h"

#include <gtest/gtest.h>

#include <Eigen/Cholesky>
#include <Eigen/LU>
#include <map>
#include <random>
#include <string>

#include "src/sparsity/alternate.h"
#include "src/sparsity/group_descent.h"
#include "src/sparsity/inverse_factor.h"
#include "src/sparsity/objective.h"
#include "src/sparsity/partners.h"
#include "src/sparsity/product.h"
#include "src/sparsity/refit.h"

namespace tamis {
namespace {

using RowMatrixF = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Rows with strongly correlated columns and a mean that is not zero.
RowMatrixF CorrelatedRows(int64_t rows, int64_t columns, std::mt19937& random) {
  std::normal_distribution<float> normal;
  const auto draw = [&] { return normal(random); };
  const int64_t factors = std::max<int64_t>(2, columns / 3);
  const RowMatrixF mix = RowMatrixF::NullaryExpr(factors, columns, draw);
  const RowMatrixF latent = RowMatrixF::NullaryExpr(rows, factors, draw);
  const RowMatrixF noise = RowMatrixF::NullaryExpr(rows, columns, draw);
  const Eigen::RowVectorXf mean = Eigen::RowVectorXf::NullaryExpr(columns, draw);
  return (latent * mix + 0.3F * noise).rowwise() + mean;
}

std::vector<float> RandomWeight(const WeightLayout& layout, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> weight(static_cast<size_t>(layout.rows * layout.columns));
  for (float& w : weight) w = normal(random);
  return weight;
}

RowMatrix AsMatrix(const std::vector<float>& weight, const WeightLayout& layout) {
  return Eigen::Map<const RowMatrixF>(weight.data(), layout.rows, layout.columns).cast<double>();
}

void ExpectTwoFour(const std::vector<float>& weight, const WeightLayout& layout) {
  const Tensor tensor = Tensor::Of<float>(DType::kFloat32, {layout.rows, layout.columns / layout.run, layout.run},
                                          std::span<const float>(weight));
  const auto broken = FindBrokenGroup(tensor);
  ASSERT_TRUE(broken.ok());
  EXPECT_FALSE(broken->has_value()) << (*broken)->ToString();
}

TEST(ProductTest, MatchesDoubleOnOddSizes) {
  std::mt19937 random(3);
  ThreadPool pool(2);
  for (const auto& [rows, m, n] : {std::array<int64_t, 3>{1, 1, 1}, {300, 37, 41}, {5, 100, 13}, {513, 12, 64}}) {
    const RowMatrixF a = CorrelatedRows(rows, m, random), b = CorrelatedRows(rows, n, random);
    RowMatrix c = RowMatrix::Ones(m, n);
    AddTransposedProduct({a.data(), rows, m, m}, {b.data(), rows, n, n}, c.data(), n, false, pool);
    const RowMatrix exact = (a.cast<double>().transpose() * b.cast<double>()).array() + 1;
    const RowMatrix magnitude = a.cast<double>().cwiseAbs().transpose() * b.cast<double>().cwiseAbs();
    const double epsilon = std::numeric_limits<float>::epsilon() * 256;  // sums of 256 products in f32
    EXPECT_LE(((c - exact).array().abs() - epsilon * magnitude.array()).maxCoeff(), 1e-12) << rows << " " << m;
  }
}

TEST(MomentsTest, CentredAndSharedMomentsAreThoseOfTheRows) {
  std::mt19937 random(5);
  ThreadPool pool(1);
  const RowMatrixF x = CorrelatedRows(90, 11, random), gaps = CorrelatedRows(90, 3, random);
  Moments moments(11, 3), tail(11, 3);
  moments.Add(x.data(), nullptr, 40, pool);  // first no gaps, then some
  EXPECT_TRUE(moments.same());
  moments.Add(x.data() + 40 * 11, gaps.data() + 40 * 3, 20, pool);
  tail.Add(x.data() + 60 * 11, gaps.data() + 60 * 3, 30, pool);
  moments.Add(tail);
  EXPECT_FALSE(moments.same());
  EXPECT_EQ(moments.rows(), 90);
  const RowMatrix inputs = x.cast<double>();
  RowMatrix e = gaps.cast<double>();
  e.topRows(40).setZero();
  EXPECT_TRUE(moments.MeanInput().isApprox(inputs.colwise().mean().transpose(), 1e-6));
  EXPECT_TRUE(moments.MeanGap().isApprox(e.colwise().mean().transpose(), 1e-6));
  EXPECT_TRUE(moments.Gaps(false).isApprox(e.transpose() * inputs, 1e-5));
  const RowMatrix centred = inputs.rowwise() - inputs.colwise().mean();
  EXPECT_TRUE(moments.Inputs(true).isApprox(centred.transpose() * centred, 1e-5));
  EXPECT_TRUE(moments.Gaps(true).isApprox(e.transpose() * centred, 1e-5));
  EXPECT_TRUE(moments.GapSquares(false).isApprox(e.colwise().squaredNorm().transpose(), 1e-6));
  e.rowwise() -= e.colwise().mean().eval();
  EXPECT_TRUE(moments.GapSquares(true).isApprox(e.colwise().squaredNorm().transpose(), 1e-5));
}

TEST(MomentsTest, SharesCountRowsAsOftenAsTheySay) {
  std::mt19937 random(6);
  ThreadPool pool(1);
  const RowMatrixF x = CorrelatedRows(3, 7, random), gaps = CorrelatedRows(3, 2, random);
  Moments shared(7, 2), repeated(7, 2);
  const std::vector<float> shares = {2, 1, 3};
  shared.Add(x.data(), gaps.data(), 3, pool, shares);
  for (int row = 0; row < 3; ++row) {
    for (int i = 0; i < static_cast<int>(shares[static_cast<size_t>(row)]); ++i) {
      repeated.Add(x.data() + row * 7, gaps.data() + row * 2, 1, pool);
    }
  }
  EXPECT_EQ(shared.rows(), 3);
  EXPECT_TRUE(shared.MeanInput().isApprox(repeated.MeanInput(), 1e-6));
  EXPECT_TRUE(shared.MeanGap().isApprox(repeated.MeanGap(), 1e-6));
  for (const bool centred : {false, true}) {
    EXPECT_TRUE(shared.Inputs(centred).isApprox(repeated.Inputs(centred), 1e-5));
    EXPECT_TRUE(shared.Gaps(centred).isApprox(repeated.Gaps(centred), 1e-5));
    EXPECT_TRUE(shared.GapSquares(centred).isApprox(repeated.GapSquares(centred), 1e-5));
  }
}

TEST(InverseFactorTest, IsTheUpperFactorOfTheInverse) {
  std::mt19937 random(11);
  ThreadPool pool(2);
  for (const int64_t k : {1, 7, 64, 150, 261}) {
    const RowMatrix x = CorrelatedRows(2 * k, k, random).cast<double>();
    const RowMatrix h = x.transpose() * x + RowMatrix::Identity(k, k);
    const auto u = InverseFactor(h, pool);
    ASSERT_TRUE(u.ok()) << u.status().message();
    EXPECT_TRUE(u->isUpperTriangular(0));
    EXPECT_TRUE((u->transpose() * *u * h).isApprox(RowMatrix::Identity(k, k), 1e-7)) << k;
  }
  EXPECT_FALSE(InverseFactor(-RowMatrix::Identity(3, 3), pool).ok());
}

// The exact optimum over all masks and all weights, for one row of eight columns.
double BruteForce(const RowMatrix& a, const RowMatrix& w) {
  double best = std::numeric_limits<double>::infinity();
  for (const auto& first : kGroupPairs) {
    for (const auto& second : kGroupPairs) {
      const std::vector<int> kept = {first[0], first[1], 4 + second[0], 4 + second[1]};
      const Eigen::MatrixXd sub = a(kept, kept);
      const Eigen::VectorXd linear = (w * a)(0, kept).transpose();
      const double error = (w * a * w.transpose())(0, 0) - linear.dot(sub.ldlt().solve(linear));
      best = std::min(best, error);
    }
  }
  return best;
}

TEST(ReconstructTest, TwoGroupsAreCloseToTheOptimum) {
  std::mt19937 random(17);
  ThreadPool pool(1);
  double found = 0, optimal = 0, magnitude = 0;
  for (int trial = 0; trial < 50; ++trial) {
    const WeightLayout layout = {1, 8, 8};
    const RowMatrixF x = CorrelatedRows(40, 8, random);
    Moments moments(8, 1);
    moments.Add(x.data(), nullptr, 40, pool);
    const std::vector<float> weight = RandomWeight(layout, random);
    const Objective objective(AsMatrix(weight, layout), moments, 0.01, false, pool);
    const auto pruned = Reconstruct(objective, layout, {.rule = {}, .free_bias = false}, pool);
    ASSERT_TRUE(pruned.ok());
    ExpectTwoFour(pruned->weight, layout);
    const double error = objective.DampedErrors(AsMatrix(pruned->weight, layout))[0];
    const double bound = BruteForce(objective.hessian(), objective.weight());
    EXPECT_GE(error, bound * (1 - 1e-3) - 1e-3);
    found += error;
    optimal += bound;
    const PrunedWeight baseline =
        PruneBySaliency(objective, layout, Saliency::kMagnitude, {.rule = {}, .free_bias = false}, pool);
    magnitude += objective.DampedErrors(AsMatrix(baseline.weight, layout))[0];
  }
  EXPECT_LE(found, 1.1 * optimal);
  EXPECT_LE(found, 0.5 * magnitude);
}

// Where a row has many groups, the penalty finds masks that no search from one group to the next comes to.
TEST(AlternateTest, FindsBetterMasksThanALocalSearch) {
  std::mt19937 random(53);
  ThreadPool pool(2);
  for (const bool paired : {false, true}) {
    const WeightLayout layout = {32, 14 * 13, 13};  // groups of four and, at the end of each run, of one
    const RowMatrixF x = CorrelatedRows(2000, layout.columns, random);
    Moments moments(layout.columns, layout.rows);
    moments.Add(x.data(), nullptr, 2000, pool);
    const std::vector<float> weight = RandomWeight(layout, random);
    const Objective objective(AsMatrix(weight, layout), moments, 0.01, true, pool);
    std::vector<int64_t> partner(static_cast<size_t>(layout.rows));
    for (int64_t row = 0; row < layout.rows; ++row) partner[static_cast<size_t>(row)] = paired ? (row ^ 1) : row;

    Mask local = MagnitudeMask(weight, layout, partner);
    std::vector<float> start = weight;
    ApplyMask(local, start);
    RowMatrix v = AsMatrix(start, layout);
    for (int round = 0; round < 10; ++round) {
      RefitKept(objective, local, 30, v);
      DescendByGroups(objective, layout, partner, 5, local, v, pool);
    }
    auto found = Alternate(objective, layout, partner, {}, 32, pool);
    ASSERT_TRUE(found.ok()) << found.status().message();
    ExpectTwoFour(ToF32(found->weight), layout);
    for (size_t i = 0; i < found->mask.size(); ++i) {
      EXPECT_TRUE(found->mask[i] || found->weight.data()[i] == 0) << i;
      const size_t column = i % static_cast<size_t>(layout.columns);
      if (column % 13 == 12) {
        EXPECT_TRUE(found->mask[i]) << i;
      }
      const size_t row = i / static_cast<size_t>(layout.columns);
      const size_t other = (paired ? row ^ 1 : row) * static_cast<size_t>(layout.columns) + column;
      EXPECT_EQ(found->mask[i], found->mask[other]) << i;
    }
    RefitKept(objective, found->mask, 30, found->weight);
    EXPECT_LT(objective.DampedErrors(found->weight).sum(), 0.97 * objective.DampedErrors(v).sum()) << paired;
  }
}

// From any mask at all the search ends where no other pair of a single group is better, and never higher up.
TEST(GroupDescentTest, LowersTheErrorToALocalOptimum) {
  std::mt19937 random(19);
  ThreadPool pool(2);
  double found = 0, optimal = 0;
  for (int trial = 0; trial < 40; ++trial) {
    const WeightLayout layout = {1, 8, 8};
    const RowMatrixF x = CorrelatedRows(40, 8, random), gaps = CorrelatedRows(40, 1, random);
    Moments moments(8, 1);
    moments.Add(x.data(), trial % 2 == 0 ? gaps.data() : nullptr, 40, pool);
    const std::vector<float> weight = RandomWeight(layout, random);
    const Objective objective(AsMatrix(weight, layout), moments, 0.01, false, pool);
    Mask mask = {1, 1, 0, 0, 1, 1, 0, 0};
    RowMatrix v = RowMatrix::Zero(1, 8);
    const double before = objective.DampedErrors(v)[0];
    for (int round = 0; round < 20; ++round) {
      const int64_t others = DescendByGroups(objective, layout, std::vector<int64_t>{0}, 10, mask, v, pool);
      EXPECT_LE(others, 2);
      RefitKept(objective, mask, 20, v);
    }
    const double error = objective.DampedErrors(v)[0];
    EXPECT_LT(error, before);
    // Emptying one group and trying all its pairs, with the two best weights for each, gains nothing.
    for (int begin : {0, 4}) {
      RowMatrix emptied = v;
      emptied.middleCols(begin, 4).setZero();
      const RowMatrix open = objective.Descent(emptied);
      for (const auto& pair : kGroupPairs) {
        const std::vector<int> kept = {begin + pair[0], begin + pair[1]};
        const Eigen::MatrixXd sub = objective.hessian()(kept, kept);
        const Eigen::VectorXd linear = open(0, kept).transpose();
        const double after = objective.DampedErrors(emptied)[0] - linear.dot(sub.ldlt().solve(linear));
        EXPECT_GE(after, error - 1e-3 * before) << trial;
      }
    }
    const RowMatrix target = objective.weight() + objective.shift() * objective.hessian().inverse();
    found += error;
    optimal += BruteForce(objective.hessian(), target) + objective.DampedErrors(target)[0];
  }
  EXPECT_GE(found, optimal * (1 - 1e-3));
  EXPECT_LE(found, 1.5 * optimal);
}

TEST(GroupDescentTest, PairsKeepTheSameAndTailsStayWhole) {
  std::mt19937 random(41);
  ThreadPool pool(2);
  const WeightLayout layout = {6, 3 * 7, 7};  // a group of four and one of three in each run
  const RowMatrixF x = CorrelatedRows(200, layout.columns, random);
  Moments moments(layout.columns, layout.rows);
  moments.Add(x.data(), nullptr, 200, pool);
  const std::vector<float> weight = RandomWeight(layout, random);
  const Objective objective(AsMatrix(weight, layout), moments, 0.01, true, pool);
  const std::vector<int64_t> partner = {3, 1, 4, 0, 2, 5};
  Mask mask = MagnitudeMask(weight, layout, partner);
  std::vector<float> start = weight;
  ApplyMask(mask, start);
  RowMatrix v = AsMatrix(start, layout);
  const Eigen::VectorXd before = objective.DampedErrors(v);
  EXPECT_GT(DescendByGroups(objective, layout, partner, 20, mask, v, pool), 0);
  const Eigen::VectorXd after = objective.DampedErrors(v);
  for (const auto& [a, b] : {std::pair{0, 3}, {2, 4}}) {
    EXPECT_LT(after[a] + after[b], before[a] + before[b]);
    for (int64_t k = 0; k < layout.columns; ++k) {
      EXPECT_EQ(mask[static_cast<size_t>(a * layout.columns + k)], mask[static_cast<size_t>(b * layout.columns + k)]);
    }
  }
  for (const int row : {1, 5}) EXPECT_LT(after[row], before[row]);
  ExpectTwoFour(ToF32(v), layout);
  for (size_t i = 0; i < mask.size(); ++i) EXPECT_TRUE(mask[i] || v.data()[i] == 0) << i;
}

// Few rows and much noise: what half of them teach holds on the other half only with strong damping.
TEST(ReconstructTest, DampingIsChosenOnRowsThatWereNotFitted) {
  std::mt19937 random(43);
  ThreadPool pool(2);
  const WeightLayout layout = {32, 64, 64};
  const std::vector<float> weight = RandomWeight(layout, random);
  std::normal_distribution<float> normal;
  const RowMatrixF change = RowMatrixF::NullaryExpr(32, 64, [&] { return normal(random); });
  double few = 0, many = 0;
  for (const int64_t rows : {70, 20000}) {
    std::vector<Moments> folds(2, Moments(64, 32));
    const RowMatrixF x = CorrelatedRows(2 * rows, 64, random);  // both folds are drawn from one distribution
    RowMatrixF gaps = RowMatrixF::NullaryExpr(2 * rows, 32, [&] { return 10 * normal(random); });
    gaps += x * change.transpose();
    for (int64_t f = 0; f < 2; ++f) {
      folds[static_cast<size_t>(f)].Add(x.data() + f * rows * 64, gaps.data() + f * rows * 32, rows, pool);
    }
    const Objective chosen = MakeObjective(weight, layout, folds, {}, pool);
    ASSERT_TRUE(Reconstruct(chosen, layout, {}, pool).ok());
    (rows == 70 ? few : many) = chosen.damping();
    EXPECT_EQ(MakeObjective(weight, layout, folds, {.damping = 0.05, .rule = {}}, pool).damping(), 0.05);
  }
  EXPECT_GT(few, many);
}

struct Case {
  WeightLayout layout;
  bool shifted;  // the pruned network's inputs differ from the dense network's
  bool free_bias;
  bool paired = false;
};

// In every panel of 32 rows, all but an odd one find another row with their mask.
void ExpectPairs(const Mask& mask, const WeightLayout& layout) {
  for (int64_t begin = 0; begin < layout.rows; begin += kPartnerPanel) {
    std::map<std::string, int64_t> rows;
    const int64_t end = std::min(begin + kPartnerPanel, layout.rows);
    for (int64_t row = begin; row < end; ++row) {
      ++rows[std::string(mask.begin() + row * layout.columns, mask.begin() + (row + 1) * layout.columns)];
    }
    int64_t odd = 0;
    for (const auto& [row_mask, count] : rows) odd += count % 2;
    EXPECT_EQ(odd, (end - begin) % 2) << begin;
  }
}

class ReconstructCaseTest : public testing::TestWithParam<Case> {};

TEST_P(ReconstructCaseTest, BeatsMagnitudeAndReportsTheTrueError) {
  const auto& [layout, shifted, free_bias, paired] = GetParam();
  std::mt19937 random(23);
  ThreadPool pool(2);
  const int64_t rows = 700;
  const RowMatrixF x = CorrelatedRows(rows, layout.columns, random);
  RowMatrixF x_hat = x;
  if (shifted) x_hat = 0.9F * x + 0.2F * CorrelatedRows(rows, layout.columns, random);
  const std::vector<float> weight = RandomWeight(layout, random);
  const RowMatrixF gaps =
      (x - x_hat) * Eigen::Map<const RowMatrixF>(weight.data(), layout.rows, layout.columns).transpose();
  std::vector<Moments> folds(2, Moments(layout.columns, layout.rows));
  folds[0].Add(x_hat.data(), shifted ? gaps.data() : nullptr, 300, pool);
  folds[1].Add(x_hat.data() + 300 * layout.columns, shifted ? gaps.data() + 300 * layout.rows : nullptr, 400, pool);
  Moments moments = folds[0];
  moments.Add(folds[1]);
  const ReconstructOptions options = {.rule = {}, .paired = paired, .free_bias = free_bias};
  const auto pruned = Reconstruct(MakeObjective(weight, layout, folds, options, pool), layout, options, pool);
  ASSERT_TRUE(pruned.ok()) << pruned.status().message();
  const PrunedWeight magnitude = PruneBySaliency(MakeObjective(weight, layout, {moments}, options, pool), layout,
                                                 Saliency::kMagnitude, options, pool);
  ExpectTwoFour(pruned->weight, layout);
  ExpectTwoFour(magnitude.weight, layout);
  EXPECT_LT(pruned->output_error, 0.8 * magnitude.output_error);
  EXPECT_LE(pruned->saliency_kept, magnitude.saliency_kept);
  for (size_t i = 0; i < weight.size(); ++i) {
    EXPECT_TRUE(pruned->mask[i] || pruned->weight[i] == 0) << i;
  }
  if (paired) {
    ExpectPairs(pruned->mask, layout);
    ExpectPairs(magnitude.mask, layout);
  }

  for (const PrunedWeight* result : {&*pruned, &magnitude}) {
    RowMatrix y = x.cast<double>() * AsMatrix(weight, layout).transpose();
    RowMatrix error = y - x_hat.cast<double>() * AsMatrix(result->weight, layout).transpose();
    if (free_bias) {
      const Eigen::RowVectorXd delta =
          Eigen::Map<const Eigen::RowVectorXf>(result->bias_delta.data(), layout.rows).cast<double>();
      error.rowwise() -= delta;
      EXPECT_LE(error.colwise().mean().cwiseAbs().maxCoeff(), 1e-4 * std::sqrt(y.squaredNorm() / rows));
      y.rowwise() -= y.colwise().mean().eval();
    } else {
      EXPECT_TRUE(result->bias_delta.empty());
    }
    EXPECT_NEAR(result->output_error, error.squaredNorm() / y.squaredNorm(), 1e-4);
  }
}
INSTANTIATE_TEST_SUITE_P(Shapes, ReconstructCaseTest,
                         testing::Values(Case{{24, 96, 96}, false, false}, Case{{24, 96, 96}, true, true},
                                         Case{{16, 9 * 6, 6}, true, false},  // tail groups of two
                                         Case{{5, 9 * 7, 7}, true, true},    // and of three
                                         Case{{33, 300, 300}, false, true}, Case{{48, 96, 96}, true, true, true},
                                         Case{{7, 9 * 7, 7}, false, false, true}));

TEST(PartnersTest, RowsThatKeepTheSameFindEachOther) {
  // Rows r and r + 5 want the same elements, which no other row does.
  ThreadPool pool(2);
  std::mt19937 random(31);
  const WeightLayout layout = {10, 64, 64};
  RowMatrix saliency = RowMatrix::Constant(10, 64, 0.01);
  for (int64_t row = 0; row < 5; ++row) {
    for (int64_t group = 0; group < 16; ++group) {
      const auto& kept = kGroupPairs[random() % 6];
      for (const int i : kept) saliency(row, group * 4 + i) = saliency(row + 5, group * 4 + i) = 1;
    }
  }
  const std::vector<int64_t> partner = ChoosePartners(saliency, layout, pool);
  for (int64_t row = 0; row < 10; ++row) EXPECT_EQ(partner[static_cast<size_t>(row)], (row + 5) % 10);
}

TEST(ReconstructEdgeTest, DegenerateInputsStayFinite) {
  ThreadPool pool(1);
  std::mt19937 random(29);
  const WeightLayout layout = {4, 16, 16};
  const std::vector<float> weight = RandomWeight(layout, random);
  Moments empty(16, 4);
  const auto reconstruct = [&](const Moments& moments) {
    return Reconstruct(MakeObjective(weight, layout, {moments}, {}, pool), layout, {}, pool);
  };
  auto pruned = reconstruct(empty);
  ASSERT_TRUE(pruned.ok());
  EXPECT_EQ(pruned->mask, MagnitudeMask(weight, layout));  // nothing known of the inputs
  // Two rows only, and half of the columns never move.
  RowMatrixF x = CorrelatedRows(2, 16, random);
  x.rightCols(8).setZero();
  Moments few(16, 4);
  few.Add(x.data(), nullptr, 2, pool);
  pruned = reconstruct(few);
  ASSERT_TRUE(pruned.ok());
  ExpectTwoFour(pruned->weight, layout);
  for (const float w : pruned->weight) EXPECT_LT(std::fabs(w), 100);
  x(0, 0) = std::numeric_limits<float>::infinity();
  few.Add(x.data(), nullptr, 2, pool);
  EXPECT_FALSE(reconstruct(few).ok());
  EXPECT_FALSE(Moments::CheckColumns(kMaxMomentColumns + 1).ok());
}

}  // namespace
}  // namespace tamis
