// Random operators: reproducible with a seed, new numbers without, and of the right distribution.
#include "src/ops/op_random_numbers.h"
#include "src/ops/op_testing.h"

namespace tamis {
namespace {

using namespace op_testing;  // NOLINT: the helpers of this folder's tests

Tensor Draw(const char* op, Attributes attributes, std::vector<Tensor> inputs = {}) {
  const auto y = Evaluate({op, "", std::move(attributes)}, inputs);
  EXPECT_TRUE(y.ok()) << y.status().message();
  return y.ok() ? (*y)[0] : Tensor(DType::kFloat32, {0});
}

TEST(RandomTest, SeedsDecide) {
  const Attribute shape = Dims{64};
  EXPECT_EQ(Values(Draw("RandomNormal", {{"shape", shape}, {"seed", 7.0f}})),
            Values(Draw("RandomNormal", {{"shape", shape}, {"seed", 7.0f}})));
  EXPECT_NE(Values(Draw("RandomNormal", {{"shape", shape}, {"seed", 7.0f}})),
            Values(Draw("RandomNormal", {{"shape", shape}, {"seed", 8.0f}})));
  EXPECT_NE(Values(Draw("RandomUniform", {{"shape", shape}})), Values(Draw("RandomUniform", {{"shape", shape}})));
}

TEST(RandomTest, MomentsAreRight) {
  constexpr int64_t kCount = 40000;
  const auto moments = [](const Tensor& tensor) {
    double sum = 0, squares = 0;
    for (float v : Values(tensor))
      sum += static_cast<double>(v), squares += static_cast<double>(v) * static_cast<double>(v);
    const double mean = sum / kCount;
    return std::pair(mean, squares / kCount - mean * mean);
  };
  // Five deviations of the mean and of the variance of as many draws.
  const auto [mean, variance] =
      moments(Draw("RandomNormal", {{"shape", Dims{kCount}}, {"seed", 1.0f}, {"mean", 3.0f}, {"scale", 2.0f}}));
  EXPECT_NEAR(mean, 3, 5 * 2 / std::sqrt(kCount));
  EXPECT_NEAR(variance, 4, 5 * 4 * std::sqrt(2.0 / kCount));
  const Tensor uniform =
      Draw("RandomUniform", {{"shape", Dims{kCount}}, {"seed", 1.0f}, {"low", -1.0f}, {"high", 3.0f}});
  EXPECT_NEAR(moments(uniform).first, 1, 5 * std::sqrt(16.0 / 12 / kCount));
  for (float v : Values(uniform)) ASSERT_TRUE(v >= -1 && v < 3) << v;
}

TEST(RandomTest, BernoulliAndMultinomialFollowTheProbabilities) {
  Tensor p(DType::kFloat32, {3, 4000});
  for (int64_t i = 0; i < 12000; ++i) p.Data<float>()[i] = static_cast<float>(i / 4000) / 2;
  const auto draws = Values(Draw("Bernoulli", {{"seed", 5.0f}}, {p}));
  double ones[3] = {};
  for (size_t i = 0; i < draws.size(); ++i) ones[i / 4000] += static_cast<double>(draws[i]);
  EXPECT_EQ(ones[0], 0);
  EXPECT_NEAR(ones[1], 2000, 5 * std::sqrt(1000.0));
  EXPECT_EQ(ones[2], 4000);
  const Tensor logits = Floats({1, 3}, {0, -1e30f, std::log(3.0f)});
  const auto classes = Draw("Multinomial", {{"sample_size", int64_t{4000}}, {"seed", 5.0f}}, {logits}).ToInt64s();
  double counts[3] = {};
  for (int64_t c : classes) ++counts[c];
  EXPECT_EQ(counts[1], 0);
  EXPECT_NEAR(counts[2], 3000, 5 * std::sqrt(750.0));
}

TEST(RandomTest, Refusals) {
  EXPECT_NE(InferText({"RandomNormal", "", {}}, {}).find("'shape'"), std::string::npos);
  EXPECT_NE(InferText({"RandomNormal", "", {{"shape", Dims{2}}, {"dtype", int64_t{7}}}}, {}).find("type 7"),
            std::string::npos);
  EXPECT_EQ(InferText({"RandomNormalLike", "", {{"dtype", int64_t{10}}}}, {F32({Dim::Symbol("n")})}), "float16[n]");
}

}  // namespace
}  // namespace tamis
