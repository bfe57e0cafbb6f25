#include "src/server/drift.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <thread>

namespace tamis {
namespace {

constexpr uint32_t kSeed = 20;

Tensor Normal(int64_t samples, float mean, float deviation, std::mt19937* random) {
  Tensor tensor(DType::kFloat32, {samples, 3, 32, 32});
  std::normal_distribution<float> normal(mean, deviation);
  for (float& x : tensor.Span<float>()) x = normal(*random);
  return tensor;
}

// What an engine remembers of standard normal inputs.
ValueRecord RecordOf(const std::string& name, bool input, std::mt19937* random) {
  const Tensor samples = Normal(64, 0, 1, random);
  ValueRecord record;
  record.name = name;
  record.input = input;
  record.samples = 64;
  const auto [low, high] = std::minmax_element(samples.Span<float>().begin(), samples.Span<float>().end());
  record.low = static_cast<double>(*low);
  record.high = static_cast<double>(*high);
  record.bins.assign(static_cast<size_t>(ValueRecord::kBins), 0);
  for (const float x : samples.Span<float>()) {
    const double part = (static_cast<double>(x) - record.low) / (record.high - record.low);
    ++record.bins[std::min<size_t>(static_cast<size_t>(part * 64), 63)];
  }
  return record;
}

class InputDriftTest : public ::testing::Test {
 protected:
  InputDriftTest() : random_(kSeed), drift_({RecordOf("x", true, &random_), RecordOf("inside", false, &random_)}) {}

  void Send(int requests, int64_t samples, float mean, float deviation) {
    for (int i = 0; i < requests; ++i) drift_.Observe({{"x", Normal(samples, mean, deviation, &random_)}});
  }
  InputDrift::Figure Only() {
    const auto figures = drift_.Figures();
    EXPECT_EQ(figures.size(), 1U);
    return figures.empty() ? InputDrift::Figure() : figures[0];
  }

  std::mt19937 random_;
  InputDrift drift_;
};

TEST_F(InputDriftTest, SaysNothingUntilThereIsEnough) {
  EXPECT_TRUE(drift_.Figures().empty());
  Send(static_cast<int>(InputDrift::kFirst) - 1, 1, 0, 1);
  EXPECT_TRUE(drift_.Figures().empty());
  Send(1, 1, 0, 1);
  EXPECT_EQ(Only().samples, InputDrift::kFirst);
}

TEST_F(InputDriftTest, InputsAsInCalibrationAreNear) {
  Send(100, 1, 0, 1);
  const InputDrift::Figure figure = Only();
  EXPECT_EQ(figure.input, "x");
  EXPECT_LT(figure.outside, 0.001);
  // 64 bins and 100 x 1,024 elements: 64 / (4 x 102,400) bits by chance.
  EXPECT_LT(figure.divergence, 0.002);
}

TEST_F(InputDriftTest, ShiftedAndScaledInputsAreFar) {
  Send(40, 2, 2, 1);
  EXPECT_GT(Only().divergence, 0.3);
  EXPECT_LT(Only().outside, 0.05);
  Send(1, InputDrift::kWindow, 0, 1);       // ends the window
  Send(2, InputDrift::kWindow / 2, 0, 50);  // pixels that were not normalised
  EXPECT_GT(Only().outside, 0.8);
  EXPECT_GT(Only().divergence, 0.5);
}

TEST_F(InputDriftTest, AWindowThatIsOverIsForgotten) {
  Send(2, InputDrift::kWindow / 2, 5, 1);
  EXPECT_GT(Only().divergence, 0.5);
  Send(2, InputDrift::kWindow / 2, 0, 1);
  EXPECT_EQ(Only().samples, InputDrift::kWindow);
  EXPECT_LT(Only().divergence, 0.05);
}

TEST_F(InputDriftTest, TheLastElementsAreLookedAtToo) {
  for (int i = 0; i < 40; ++i) {
    Tensor uneven(DType::kFloat32, {1, 2047});
    for (int64_t j = 1365; j < 2047; ++j) uneven.Data<float>()[j] = 50;
    drift_.Observe({{"x", uneven}});
  }
  EXPECT_NEAR(Only().outside, 682.0 / 2047, 0.01);
}

TEST_F(InputDriftTest, OddInputsDoNoHarm) {
  Tensor broken(DType::kFloat32, {40, 2});
  broken.Data<float>()[3] = std::numeric_limits<float>::quiet_NaN();
  drift_.Observe({{"x", broken}});
  EXPECT_NEAR(Only().outside, 1.0 / 80, 1e-12);
  drift_.Observe({{"y", broken}});
  drift_.Observe({{"x", Tensor(DType::kFloat32, {0, 2})}});
  drift_.Observe({{"x", Tensor(DType::kInt64, {2, 2})}});
  drift_.Observe({});
  EXPECT_EQ(Only().samples, 40);
}

TEST_F(InputDriftTest, ManyThreads) {
  std::vector<std::thread> threads;
  const Tensor sample = Normal(1, 0, 1, &random_);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        drift_.Observe({{"x", sample}});
        static_cast<void>(drift_.Figures());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(Only().samples, 800);
}

TEST(InputDriftRecordsTest, WithoutRecordsOfInputsThereIsNothingToWatch) {
  std::mt19937 random(kSeed);
  EXPECT_TRUE(InputDrift({}).empty());
  EXPECT_TRUE(InputDrift({RecordOf("inside", false, &random)}).empty());
  EXPECT_TRUE(InputDrift({ValueRecord()}).empty());
}

}  // namespace
}  // namespace tamis
