#include "src/compiler/measure/compare.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tamis {
namespace {

Tensor Rows(Dims dims, std::vector<float> values) {
  return Tensor::Of<float>(DType::kFloat32, std::move(dims), std::span<const float>(values));
}

TEST(OutputComparison, EqualOutputsHaveNoError) {
  OutputComparison comparison;
  const Tensor a = Rows({2, 3}, {1, 2, 3, -1, 5, 0});
  ASSERT_TRUE(comparison.Add(a, a).ok());
  EXPECT_EQ(comparison.MaxRelativeError(), 0);
  EXPECT_DOUBLE_EQ(comparison.MeanCosine(), 1);
  EXPECT_EQ(comparison.TopOneAgreement(), 1);
  EXPECT_EQ(comparison.rows(), 2);
}

TEST(OutputComparison, ErrorsAreRelativeToTheLargestReference) {
  OutputComparison comparison;
  ASSERT_TRUE(comparison.Add(Rows({1, 2}, {1, 4.5}), Rows({1, 2}, {1, 5})).ok());
  EXPECT_NEAR(comparison.MaxRelativeError(), 0.1, 1e-7);
  EXPECT_NEAR(comparison.RelativeRootError(), 0.5 / std::sqrt(26.0), 1e-7);
}

TEST(OutputComparison, CosineOfOrthogonalRowsIsZero) {
  OutputComparison comparison;
  ASSERT_TRUE(comparison.Add(Rows({2, 2}, {1, 0, 3, 3}), Rows({2, 2}, {0, 1, 1, 1})).ok());
  EXPECT_NEAR(comparison.MeanCosine(), 0.5, 1e-12);
  EXPECT_NEAR(comparison.MinCosine(), 0, 1e-12);
  EXPECT_NEAR(comparison.MeanCosineError(), 0.5, 1e-12);  // of {0, 1}: deviation sqrt(1/2), over sqrt(2)
}

TEST(OutputComparison, OnlyClearDisagreementsCount) {
  OutputComparison comparison;
  ASSERT_TRUE(comparison.Add(Rows({2, 2}, {1.0f, 1.1f, 1, 2}), Rows({2, 2}, {1.00001f, 1.0f, 2, 1})).ok());
  EXPECT_EQ(comparison.TopOneAgreement(), 0);
  EXPECT_EQ(comparison.ClearDisagreements(), 1);
}

TEST(OutputComparison, NanOnOneSideIsAnInfiniteError) {
  OutputComparison comparison;
  ASSERT_TRUE(comparison.Add(Rows({1, 2}, {NAN, 1}), Rows({1, 2}, {1, 1})).ok());
  EXPECT_TRUE(std::isinf(comparison.MaxAbsoluteError()));
}

TEST(OutputComparison, DifferentShapesAreRefused) {
  OutputComparison comparison;
  const Status status = comparison.Add(Rows({1, 2}, {1, 1}), Rows({2, 1}, {1, 1}));
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.message().find("[1, 2]"), std::string::npos);
}

}  // namespace
}  // namespace tamis
