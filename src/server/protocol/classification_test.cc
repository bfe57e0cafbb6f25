#include "src/server/protocol/classification.h"

#include <gtest/gtest.h>

#include <limits>

namespace tamis {
namespace {

std::vector<std::string> Strings(const Tensor& tensor) {
  const auto span = tensor.Span<std::string>();
  return {span.begin(), span.end()};
}

TEST(TopClasses, OfEveryRowTheHighest) {
  Tensor scores(DType::kFloat32, {2, 4});
  const float values[] = {0.1f, 4, -2, 3.5f, 7, 7, 1, 9};
  std::copy(std::begin(values), std::end(values), scores.Data<float>());
  const auto top = TopClasses(scores, 3);
  ASSERT_TRUE(top.ok()) << top.status().message();
  EXPECT_EQ(top->dims(), (Dims{2, 3}));
  EXPECT_EQ(Strings(*top), (std::vector<std::string>{"4:1", "3.5:3", "0.1:0", "9:3", "7:0", "7:1"}));
}

TEST(TopClasses, NanIsLastAndMoreThanThereAreIsAll) {
  Tensor scores(DType::kFloat64, {3});
  scores.Data<double>()[0] = std::numeric_limits<double>::quiet_NaN();
  scores.Data<double>()[1] = -1;
  scores.Data<double>()[2] = 0.1;
  const auto top = TopClasses(scores, 1000000);
  ASSERT_TRUE(top.ok()) << top.status().message();
  EXPECT_EQ(Strings(*top), (std::vector<std::string>{"0.1:2", "-1:1", "nan:0"}));
}

TEST(TopClasses, IntegersAndWhatHasNoClasses) {
  Tensor scores(DType::kUInt8, {1, 2});
  scores.Data<uint8_t>()[0] = 3;
  scores.Data<uint8_t>()[1] = 200;
  EXPECT_EQ(Strings(*TopClasses(scores, 1)), (std::vector<std::string>{"200:1"}));
  EXPECT_FALSE(TopClasses(Tensor(DType::kFloat32, {}), 1).ok());
  EXPECT_FALSE(TopClasses(Tensor(DType::kString, {2}), 1).ok());
  EXPECT_EQ(TopClasses(Tensor(DType::kFloat32, {2, 0}), 1)->dims(), (Dims{2, 0}));
}

}  // namespace
}  // namespace tamis
