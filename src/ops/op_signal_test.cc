// Fourier transforms against the definition, shapes, and refusals of signal and loss operators.
#include <complex>
#include <numbers>

#include "src/ops/op_fourier.h"
#include "src/ops/op_testing.h"

namespace tamis {
namespace {

using namespace op_testing;  // NOLINT: the helpers of this folder's tests

// Sums of n elements of at most sqrt(2), each rounded a few times.
template <class T>
void FourierFollowsTheDefinition() {
  constexpr double kEpsilon = std::numeric_limits<T>::epsilon();
  for (const size_t n : {1u, 2u, 3u, 4u, 6u, 7u, 10u, 12u, 35u, 64u, 97u}) {
    std::vector<std::complex<T>> x(n);
    for (size_t i = 0; i < n; ++i) {
      x[i] = {static_cast<T>(std::sin(static_cast<double>(3 * i + 1))),
              static_cast<T>(std::cos(static_cast<double>(i * i)))};
    }
    auto y = x;
    Fourier(y, false);
    for (size_t k = 0; k < n; ++k) {
      std::complex<double> sum;
      for (size_t i = 0; i < n; ++i) {
        sum += std::complex<double>(x[i]) *
               std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(i * k % n) / static_cast<double>(n));
      }
      EXPECT_NEAR(std::abs(std::complex<double>(y[k]) - sum), 0, 8 * static_cast<double>(n) * kEpsilon)
          << n << " " << k;
    }
    Fourier(y, true);
    for (size_t i = 0; i < n; ++i) {
      EXPECT_NEAR(std::abs(std::complex<double>(y[i]) - std::complex<double>(x[i])), 0,
                  8 * static_cast<double>(n) * kEpsilon);
    }
  }
}

TEST(SignalTest, FourierInSingle) {
  FourierFollowsTheDefinition<float>();
}
TEST(SignalTest, FourierInDouble) {
  FourierFollowsTheDefinition<double>();
}

TEST(SignalTest, RealSignalsHaveSymmetricSpectra) {
  std::vector<float> values(10);
  for (size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(7 * i + 1));
  const auto y = Evaluate({"DFT", "", {{"axis", int64_t{0}}}, 17}, {Floats({10, 1}, values)});
  ASSERT_TRUE(y.ok()) << y.status().message();
  const auto spectrum = (*y)[0].Span<float>();
  EXPECT_EQ(spectrum[1], 0);
  EXPECT_EQ(spectrum[11], 0);
  for (size_t i = 1; i < 5; ++i) {
    EXPECT_EQ(spectrum[2 * i], spectrum[2 * (10 - i)]);
    EXPECT_EQ(spectrum[2 * i + 1], -spectrum[2 * (10 - i) + 1]);
  }
}

TEST(SignalTest, ShapesKeepSymbols) {
  const Dim n = Dim::Symbol("n");
  EXPECT_EQ(InferText({"DFT", "", {{"onesided", int64_t{1}}}}, {F32({3, 16, n, 1})}),
            "float32[3, 16, floor(n / 2) + 1, 2]");
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
