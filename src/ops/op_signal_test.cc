// Fourier transforms against the definition, shapes, and refusals of signal and loss operators.
#include <complex>
#include <numbers>

#include "src/ops/op_fourier.h"
#include "src/ops/op_testing.h"

namespace tamis {
namespace {

using namespace op_testing;  // NOLINT: the helpers of this folder's tests

TEST(SignalTest, FourierFollowsTheDefinition) {
  for (const size_t n : {1u, 2u, 3u, 4u, 6u, 7u, 12u, 35u, 64u}) {
    std::vector<std::complex<double>> x(n);
    for (size_t i = 0; i < n; ++i)
      x[i] = {std::sin(static_cast<double>(3 * i + 1)), std::cos(static_cast<double>(i * i))};
    auto y = x;
    Fourier(y, false);
    for (size_t k = 0; k < n; ++k) {
      std::complex<double> sum;
      for (size_t i = 0; i < n; ++i) {
        sum += x[i] * std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(i * k % n) / static_cast<double>(n));
      }
      EXPECT_NEAR(std::abs(y[k] - sum), 0, static_cast<double>(n) * 1e-14) << n << " " << k;
    }
    Fourier(y, true);
    for (size_t i = 0; i < n; ++i) EXPECT_NEAR(std::abs(y[i] - x[i]), 0, 1e-13);
  }
}

TEST(SignalTest, ShapesKeepSymbols) {
  const Dim n = Dim::Symbol("n");
  EXPECT_EQ(InferText({"DFT", "", {{"onesided", int64_t{1}}}}, {F32({3, 16, n, 1})}),
            "float32[3, 16, floor(n / (2)) + 1, 2]");
  EXPECT_EQ(InferText({"DFT", "", {{"axis", int64_t{1}}}, 17}, {F32({n, 16, 1})}), "float32[n, 16, 2]");
  EXPECT_NE(InferText({"DFT", "", {{"axis", int64_t{-1}}}, 17}, {F32({n, 16, 1})}).find("last axis"),
            std::string::npos);
}

TEST(SignalTest, Refusals) {
  const Tensor signal = Floats({1, 4, 1}, {1, 2, 3, 4}), step = Tensor::Int64s(std::vector<int64_t>{1});
  const Tensor window = Floats({5}, {1, 1, 1, 1, 1});
  EXPECT_NE(ErrorOf({"STFT", "", {}}, {signal, step, window}).find("longer than the signal"), std::string::npos);
  EXPECT_NE(ErrorOf({"HannWindow", "", {{"output_datatype", int64_t{8}}}}, {step}).find("8"), std::string::npos);
}

TEST(LossTest, LabelsOutsideAreRefusedUnlessIgnored) {
  const Tensor x = Floats({2, 2}, {-1, -2, -3, -4}), labels = Tensor::Int64s(std::vector<int64_t>{1, 5});
  EXPECT_NE(ErrorOf({"NegativeLogLikelihoodLoss", "", {}}, {x, labels}).find("label 5"), std::string::npos);
  const auto y = Evaluate({"NegativeLogLikelihoodLoss", "", {{"ignore_index", int64_t{5}}}}, {x, labels});
  ASSERT_TRUE(y.ok()) << y.status().message();
  EXPECT_EQ(Values((*y)[0]), (std::vector<float>{2}));
}

}  // namespace
}  // namespace tamis
