// Normalizations, Softmax and Gelu against their formulas in double.
#include <numbers>

#include "src/ops/op_testing.h"

namespace tamis {
namespace {

using namespace op_testing;  // NOLINT: the helpers of this folder's tests

double At(const Tensor& tensor, int64_t i) {
  return static_cast<double>(tensor.Data<float>()[i]);
}

// (x - mean) / sqrt(variance + epsilon) over [first, first + size), appended.
void AppendNormalized(const Tensor& x, int64_t first, int64_t size, double epsilon, std::vector<double>* y) {
  double sum = 0, squares = 0;
  for (int64_t i = first; i < first + size; ++i) {
    sum += At(x, i);
    squares += At(x, i) * At(x, i);
  }
  const double mean = sum / static_cast<double>(size);
  const double variance = squares / static_cast<double>(size) - mean * mean;
  for (int64_t i = first; i < first + size; ++i) y->push_back((At(x, i) - mean) / std::sqrt(variance + epsilon));
}

constexpr float kEpsilon = 1e-3f;
const Attributes kWithEpsilon = {{"epsilon", kEpsilon}};
// Squares of values below 1, divided by at least sqrt(kEpsilon).
constexpr double kMagnitude = 1e5;

TEST(NormalizationTest, Batch) {
  CaseMaker make(41);
  const Tensor x = make.Floats({2, 3, 4, 5});
  const Tensor scale = make.Floats({3}), bias = make.Floats({3}), mean = make.Floats({3});
  const Tensor variance = make.Floats({3}, 0.5f, 2);
  const auto y = Evaluate({"BatchNormalization", "", kWithEpsilon}, {x, scale, bias, mean, variance});
  ASSERT_TRUE(y.ok()) << y.status().message();
  std::vector<double> expected;
  for (int64_t i = 0; i < x.NumElements(); ++i) {
    const int64_t c = i / 20 % 3;
    expected.push_back((At(x, i) - At(mean, c)) / std::sqrt(At(variance, c) + static_cast<double>(kEpsilon)) *
                           At(scale, c) +
                       At(bias, c));
  }
  ExpectClose((*y)[0], expected, kMagnitude);
}

TEST(NormalizationTest, BatchWithMomentsOfItsOwn) {
  CaseMaker make(43);
  const Tensor x = make.Floats({2, 3, 4});
  const Tensor scale = make.Floats({3}), bias = make.Floats({3}), mean = make.Floats({3});
  const Tensor variance = make.Floats({3}, 0.5f, 2);
  const Attributes training = {{"epsilon", kEpsilon}, {"training_mode", int64_t{1}}, {"momentum", 0.75f}};
  const auto y = Evaluate({"BatchNormalization", "", training, 15, 3}, {x, scale, bias, mean, variance});
  ASSERT_TRUE(y.ok()) << y.status().message();
  std::vector<double> expected(static_cast<size_t>(x.NumElements())), means, variances;
  for (int64_t c = 0; c < 3; ++c) {
    double sum = 0, squares = 0;
    std::vector<int64_t> places;
    for (int64_t i = 0; i < x.NumElements(); ++i) {
      if (i / 4 % 3 == c) places.push_back(i);
    }
    for (int64_t i : places) sum += At(x, i) / 8;
    for (int64_t i : places) squares += (At(x, i) - sum) * (At(x, i) - sum) / 8;
    for (int64_t i : places) {
      expected[static_cast<size_t>(i)] =
          (At(x, i) - sum) / std::sqrt(squares + static_cast<double>(kEpsilon)) * At(scale, c) + At(bias, c);
    }
    means.push_back(0.75 * At(mean, c) + 0.25 * sum);
    variances.push_back(0.75 * At(variance, c) + 0.25 * squares);
  }
  ExpectClose((*y)[0], expected, kMagnitude);
  ExpectClose((*y)[1], means, 8);
  ExpectClose((*y)[2], variances, 64);
}

TEST(NormalizationTest, BatchRefusesOutputsOfTraining) {
  std::vector<Type> types(5, F32({3}));
  types[0] = F32({2, 3, 4});
  const std::string error = InferText({"BatchNormalization", "", {}, 15, 3}, types);
  EXPECT_NE(error.find("outputs beside Y"), std::string::npos) << error;
  types[3] = F32({4});
  EXPECT_NE(InferText({"BatchNormalization", "", {}}, types).find("input 3"), std::string::npos);
}

TEST(NormalizationTest, LayerWithMeanAndInverseDeviation) {
  CaseMaker make(42);
  const Tensor x = make.Floats({2, 3, 7});
  const Tensor scale = make.Floats({7}), bias = make.Floats({7});
  const auto y = Evaluate({"LayerNormalization", "", kWithEpsilon, 17, 3}, {x, scale, bias});
  ASSERT_TRUE(y.ok()) << y.status().message();
  std::vector<double> expected;
  for (int64_t row = 0; row < 6; ++row) AppendNormalized(x, row * 7, 7, kEpsilon, &expected);
  const std::vector<double> normal = expected;
  for (size_t i = 0; i < expected.size(); ++i) {
    const auto c = static_cast<int64_t>(i % 7);
    expected[i] = expected[i] * At(scale, c) + At(bias, c);
  }
  ExpectClose((*y)[0], expected, kMagnitude);
  ASSERT_EQ((*y)[1].dims(), (Dims{2, 3, 1}));
  ASSERT_EQ((*y)[2].dims(), (Dims{2, 3, 1}));
  for (int64_t i = 0; i < 42; ++i) {
    // The two results restore the normalized values, up to their rounding.
    const double restored = (At(x, i) - At((*y)[1], i / 7)) * At((*y)[2], i / 7);
    EXPECT_NEAR(restored, normal[static_cast<size_t>(i)], 0x1p-18);
  }
}

TEST(NormalizationTest, LayerOverSeveralAxesWithoutBias) {
  CaseMaker make(43);
  const Tensor x = make.Floats({2, 3, 4});
  const Tensor scale = Floats({1}, {2});
  Attributes attributes = kWithEpsilon;
  attributes["axis"] = int64_t{1};
  const auto y = Evaluate({"LayerNormalization", "", attributes}, {x, scale, Tensor()});
  ASSERT_TRUE(y.ok()) << y.status().message();
  std::vector<double> expected;
  for (int64_t row = 0; row < 2; ++row) AppendNormalized(x, row * 12, 12, kEpsilon, &expected);
  for (double& value : expected) value *= 2;
  ExpectClose((*y)[0], expected, kMagnitude);
  const OneNode wrong{"LayerNormalization", "", {{"axis", int64_t{3}}}};
  EXPECT_NE(InferText(wrong, {F32({2, 3, 4}), F32({4})}).find("'axis' is 3"), std::string::npos);
}

TEST(NormalizationTest, InstanceEqualsGroupsOfOneChannel) {
  CaseMaker make(44);
  const Tensor x = make.Floats({2, 4, 3, 5});
  const Tensor scale = make.Floats({4}), bias = make.Floats({4});
  const auto instance = Evaluate({"InstanceNormalization", "", kWithEpsilon}, {x, scale, bias});
  ASSERT_TRUE(instance.ok()) << instance.status().message();
  std::vector<double> expected;
  for (int64_t plane = 0; plane < 8; ++plane) AppendNormalized(x, plane * 15, 15, kEpsilon, &expected);
  for (size_t i = 0; i < expected.size(); ++i) {
    const auto c = static_cast<int64_t>(i / 15 % 4);
    expected[i] = expected[i] * At(scale, c) + At(bias, c);
  }
  ExpectClose((*instance)[0], expected, kMagnitude);
  Attributes groups = kWithEpsilon;
  groups["num_groups"] = int64_t{4};
  const auto group = Evaluate({"GroupNormalization", "", groups}, {x, scale, bias});
  ASSERT_TRUE(group.ok()) << group.status().message();
  ExpectClose((*group)[0], expected, kMagnitude);
}

TEST(NormalizationTest, GroupParametersByOpset) {
  CaseMaker make(45);
  const Tensor x = make.Floats({1, 4, 6});
  const Attributes attributes = {{"num_groups", int64_t{2}}, {"epsilon", kEpsilon}};
  std::vector<double> normal;
  for (int64_t group = 0; group < 2; ++group) AppendNormalized(x, group * 12, 12, kEpsilon, &normal);
  for (const int64_t opset : {18, 21}) {
    const int64_t parameters = opset == 18 ? 2 : 4;
    const Tensor scale = make.Floats({parameters}), bias = make.Floats({parameters});
    const auto y = Evaluate({"GroupNormalization", "", attributes, opset}, {x, scale, bias});
    ASSERT_TRUE(y.ok()) << y.status().message();
    std::vector<double> expected = normal;
    for (size_t i = 0; i < expected.size(); ++i) {
      const auto p = static_cast<int64_t>(i) * parameters / 24;
      expected[i] = expected[i] * At(scale, p) + At(bias, p);
    }
    ExpectClose((*y)[0], expected, kMagnitude);
  }
  EXPECT_NE(InferText({"GroupNormalization", "", attributes, 21}, {F32({1, 4, 6}), F32({2}), F32({2})}).find("[4]"),
            std::string::npos);
}

TEST(NormalizationTest, RmsAndLp) {
  const Tensor x = Floats({2, 2}, {3, 4, 0, 0});
  const auto rms =
      Evaluate({"RMSNormalization", "", {{"epsilon", 0.0f}}, 23}, {Floats({1, 2}, {3, 4}), Floats({2}, {1, 10})});
  ASSERT_TRUE(rms.ok()) << rms.status().message();
  ExpectClose((*rms)[0], {3 / std::sqrt(12.5), 40 / std::sqrt(12.5)}, 10);
  const auto two = Evaluate({"LpNormalization", "", {}}, {x});
  EXPECT_EQ(Values((*two)[0]), (std::vector<float>{0.6f, 0.8f, 0, 0}));
  const auto one = Evaluate({"LpNormalization", "", {{"p", int64_t{1}}, {"axis", int64_t{0}}}}, {x});
  EXPECT_EQ(Values((*one)[0]), (std::vector<float>{1, 1, 0, 0}));
}

TEST(SoftmaxTest, AxisMeaningChangesWithTheOpset) {
  CaseMaker make(46);
  const Tensor x = make.Floats({2, 3, 4}, -3, 3);
  const auto expected = [&](const std::vector<int64_t>& group_of) {
    std::vector<double> sums(24, 0), y;
    for (int64_t i = 0; i < 24; ++i) sums[static_cast<size_t>(group_of[static_cast<size_t>(i)])] += std::exp(At(x, i));
    for (int64_t i = 0; i < 24; ++i) {
      y.push_back(std::exp(At(x, i)) / sums[static_cast<size_t>(group_of[static_cast<size_t>(i)])]);
    }
    return y;
  };
  std::vector<int64_t> flat, one_axis, last;
  for (int64_t i = 0; i < 24; ++i) {
    flat.push_back(i / 12);
    one_axis.push_back(i / 12 * 4 + i % 4);
    last.push_back(i / 4);
  }
  const Attributes axis_one = {{"axis", int64_t{1}}};
  ExpectClose((*Evaluate({"Softmax", "", axis_one, 12}, {x}))[0], expected(flat), 24);
  ExpectClose((*Evaluate({"Softmax", "", {}, 12}, {x}))[0], expected(flat), 24);
  ExpectClose((*Evaluate({"Softmax", "", axis_one, 13}, {x}))[0], expected(one_axis), 24);
  ExpectClose((*Evaluate({"Softmax", "", {}, 13}, {x}))[0], expected(last), 24);
  std::vector<double> logs = expected(last);
  for (double& value : logs) value = std::log(value);
  ExpectClose((*Evaluate({"LogSoftmax", "", {}, 13}, {x}))[0], logs, 24);
}

TEST(SoftmaxTest, LargeValuesDoNotOverflow) {
  const auto y = Evaluate({"Softmax", "", {}}, {Floats({1, 2}, {3e38f, 3e38f})});
  EXPECT_EQ(Values((*y)[0]), (std::vector<float>{0.5f, 0.5f}));
  EXPECT_EQ(InferText({"Softmax", "", {}}, {F32({Dim::Symbol("n"), 10})}), "float32[n, 10]");
  EXPECT_NE(InferText({"Softmax", "", {{"axis", int64_t{2}}}}, {F32({1, 10})}).find("'axis' is 2"), std::string::npos);
}

TEST(GeluTest, BothForms) {
  CaseMaker make(47);
  const Tensor x = make.Floats({64}, -5, 5);
  std::vector<double> erf_form, tanh_form;
  for (int64_t i = 0; i < 64; ++i) {
    const double v = At(x, i);
    erf_form.push_back(v * 0.5 * std::erfc(-v / std::numbers::sqrt2));
    tanh_form.push_back(v / (1 + std::exp(-2 * std::sqrt(2 / std::numbers::pi) * (v + 0.044715 * v * v * v))));
  }
  ExpectClose((*Evaluate({"Gelu", "", {}}, {x}))[0], erf_form, 5);
  ExpectClose((*Evaluate({"Gelu", "", {{"approximate", std::string("tanh")}}}, {x}))[0], tanh_form, 5);
  EXPECT_NE(InferText({"Gelu", "", {{"approximate", std::string("fast")}}}, {F32({1})}).find("'fast'"),
            std::string::npos);
}

}  // namespace
}  // namespace tamis
