#include "src/compiler/gate/gate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "src/compiler/gate/gate_report.h"

namespace tamis {
namespace {

// Answers that are given, by the number that a sample holds as its only element.
class Recorded final : public Session {
 public:
  explicit Recorded(Tensor answers, std::string output = "y") : answers_(std::move(answers)) {
    inputs_ = {{.name = "x", .dtype = DType::kFloat32, .dims = {-1, 1}, .dim_names = {"n", ""}}};
    Dims dims = answers_.dims();
    dims[0] = -1;
    std::vector<std::string> names(dims.size());
    names[0] = "n";
    outputs_ = {{.name = std::move(output), .dtype = answers_.dtype(), .dims = dims, .dim_names = names}};
  }
  const std::string& name() const override { return name_; }
  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  const std::vector<std::string>& notices() const override { return notices_; }
  Result<std::vector<NodeTime>> Profile(const NamedTensors&, int) override { return std::vector<NodeTime>(); }
  Result<NamedTensors> Run(const NamedTensors& inputs) override {
    const Tensor& x = inputs.at("x");
    Dims dims = answers_.dims();
    dims[0] = x.dim(0);
    Tensor picked(answers_.dtype(), dims);
    const size_t bytes = answers_.NumBytes() / static_cast<size_t>(answers_.dim(0));
    for (int64_t i = 0; i < x.dim(0); ++i) {
      const auto row = static_cast<size_t>(x.Data<float>()[i]);
      std::copy_n(answers_.raw() + row * bytes, bytes, picked.raw() + static_cast<size_t>(i) * bytes);
    }
    return NamedTensors{{outputs_[0].name, std::move(picked)}};
  }

 private:
  Tensor answers_;
  std::string name_ = "recorded";
  std::vector<TensorSpec> inputs_, outputs_;
  std::vector<std::string> notices_;
};

constexpr int64_t kClasses = 4;

// One-hot scores of these classes, with a little of everything so that rows have different lengths.
Tensor Scores(const std::vector<int64_t>& classes) {
  Tensor scores(DType::kFloat32, {static_cast<int64_t>(classes.size()), kClasses});
  for (size_t i = 0; i < classes.size(); ++i) {
    float* row = scores.Data<float>() + i * kClasses;
    for (int64_t c = 0; c < kClasses; ++c) row[c] = 0.1F * static_cast<float>(i % 7);
    row[classes[i]] = 3 + static_cast<float>(i % 5);
  }
  return scores;
}

struct Case {
  std::vector<int64_t> labels, dense, candidate;
};

// `lost` samples that only the dense side has right, `won` that only the candidate has.
Case MakeCase(size_t samples, size_t lost, size_t won) {
  Case one;
  for (size_t i = 0; i < samples; ++i) {
    const auto label = static_cast<int64_t>(i % kClasses), wrong = (label + 1) % kClasses;
    one.labels.push_back(label);
    one.dense.push_back(i >= lost && i < lost + won ? wrong : label);
    one.candidate.push_back(i < lost ? wrong : label);
  }
  return one;
}

std::shared_ptr<const DataSource> Numbers(size_t samples) {
  Tensor x(DType::kFloat32, {static_cast<int64_t>(samples), 1});
  for (size_t i = 0; i < samples; ++i) x.Data<float>()[i] = static_cast<float>(i);
  Recorded spec(Scores({0}));
  return OpenTensors({{"x", x}}, spec.inputs()).value();
}

Result<GateResult> Gate(Session& dense, Session& candidate, size_t samples, const std::vector<int64_t>& labels,
                        GateOptions options = {}) {
  options.bootstrap.resamples = 1000;
  const auto data = Numbers(samples);
  return RunGate(dense, candidate, *data, AllSamples(*data), labels, options);
}

Result<GateResult> Gate(const Case& one, GateOptions options = {}, bool with_labels = true) {
  Recorded dense(Scores(one.dense)), candidate(Scores(one.candidate));
  return Gate(dense, candidate, one.labels.size(), with_labels ? one.labels : std::vector<int64_t>(), options);
}

const GateCheck& Find(const GateResult& result, const std::string& name) {
  for (const GateCheck& check : result.checks) {
    if (check.name == name) return check;
  }
  ADD_FAILURE() << "no check " << name;
  return result.checks.front();
}

TEST(Gate, TheDropIsCountedAndJudged) {
  const auto result = Gate(MakeCase(1000, 30, 10), {.max_drop = 1.5});
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_TRUE(result->top1_measured);
  EXPECT_DOUBLE_EQ(result->dense_top1, 99);
  EXPECT_DOUBLE_EQ(result->candidate_top1, 97);
  EXPECT_EQ(result->lost, 30);
  EXPECT_EQ(result->won, 10);
  const GateCheck& drop = Find(*result, "top1_drop");
  EXPECT_DOUBLE_EQ(drop.measured, 2);
  // 40 of 1000 pairs differ: the standard error is sqrt(0.04 - 0.02^2) / sqrt(1000) = 0.63 points.
  EXPECT_NEAR(drop.interval.high - drop.interval.low, 2 * 1.96 * 0.63, 0.25);
  EXPECT_EQ(drop.verdict, Verdict::kFailed);  // over the budget, although the interval reaches into it
  EXPECT_LT(drop.interval.low, 1.5);
  EXPECT_FALSE(result->Passed());
}

TEST(Gate, WithinTheBudgetIsProvenOrNot) {
  const auto few = Gate(MakeCase(200, 2, 0));
  ASSERT_TRUE(few.ok());
  EXPECT_EQ(Find(*few, "top1_drop").verdict, Verdict::kUnproven);
  EXPECT_GT(Find(*few, "top1_drop").samples_needed, 200);
  EXPECT_TRUE(few->Passed());
  const auto strict = Gate(MakeCase(200, 2, 0), {.strict = true});
  ASSERT_TRUE(strict.ok());
  EXPECT_FALSE(strict->Passed());
  const auto many = Gate(MakeCase(4000, 20, 8), {.strict = true});
  ASSERT_TRUE(many.ok());
  EXPECT_EQ(Find(*many, "top1_drop").verdict, Verdict::kPassed);
  EXPECT_TRUE(many->Passed());
}

TEST(Gate, WithoutLabelsAgreementIsJudged) {
  const auto same = Gate(MakeCase(400, 0, 0), {}, false);
  ASSERT_TRUE(same.ok());
  EXPECT_FALSE(same->top1_measured);
  EXPECT_NE(same->top1_reason.find("labels"), std::string::npos);
  EXPECT_EQ(Find(*same, "cosine").limit, GateOptions::kDefaultAgreement);
  EXPECT_EQ(Find(*same, "cosine").verdict, Verdict::kPassed);
  EXPECT_EQ(Find(*same, "same_answers").verdict, Verdict::kPassed);
  const auto other = Gate(MakeCase(400, 60, 0), {}, false);
  ASSERT_TRUE(other.ok());
  EXPECT_DOUBLE_EQ(Find(*other, "same_answers").measured, 0.85);
  EXPECT_EQ(Find(*other, "same_answers").verdict, Verdict::kFailed);
  EXPECT_FALSE(other->Passed());
}

TEST(Gate, WithLabelsAgreementIsToldAndJudgedOnRequest) {
  const auto told = Gate(MakeCase(400, 30, 30));
  ASSERT_TRUE(told.ok());
  EXPECT_FALSE(Find(*told, "same_answers").limit.has_value());
  EXPECT_TRUE(told->Passed());
  const auto judged = Gate(MakeCase(400, 30, 30), {.min_same = 0.9});
  ASSERT_TRUE(judged.ok());
  EXPECT_FALSE(judged->Passed());
}

TEST(Gate, RowsOfOneLengthAreEmbeddingsAndNoClasses) {
  constexpr uint64_t kSeed = 5;
  RecordProperty("seed", kSeed);
  std::mt19937_64 random(kSeed);
  std::normal_distribution<float> normal;
  Tensor a(DType::kFloat32, {50, 16}), b(DType::kFloat32, {50, 16});
  for (int64_t r = 0; r < 50; ++r) {
    double square = 0;
    for (int64_t i = 0; i < 16; ++i) {
      const float value = a.Data<float>()[r * 16 + i] = normal(random);
      square += static_cast<double>(value) * value;
    }
    for (int64_t i = 0; i < 16; ++i) {
      a.Data<float>()[r * 16 + i] /= static_cast<float>(std::sqrt(square));
      b.Data<float>()[r * 16 + i] = a.Data<float>()[r * 16 + i] + 0.01F * normal(random);
    }
  }
  Recorded dense(a), candidate(b);
  const auto result = Gate(dense, candidate, 50, {});
  ASSERT_TRUE(result.ok());
  for (const GateCheck& check : result->checks) EXPECT_NE(check.name, "same_answers");
  EXPECT_EQ(Find(*result, "cosine").verdict, Verdict::kPassed);
}

TEST(Gate, BrokenAnswersOfTheCandidateFailAndOfTheDenseNetworkAreRefused) {
  const Case one = MakeCase(64, 0, 0);
  Tensor broken = Scores(one.candidate);
  broken.Data<float>()[9 * kClasses + 2] = std::numeric_limits<float>::quiet_NaN();
  Recorded good(Scores(one.dense)), bad(broken);
  const auto failed = Gate(good, bad, 64, one.labels);
  ASSERT_TRUE(failed.ok());
  EXPECT_EQ(Find(*failed, "finite").verdict, Verdict::kFailed);
  EXPECT_NE(Find(*failed, "finite").text.find("sample 9"), std::string::npos);
  const auto refused = Gate(bad, good, 64, one.labels);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.status().message().find("sample 9"), std::string::npos);
}

TEST(Gate, WhatCannotBeJudgedIsRefused) {
  const Case one = MakeCase(64, 0, 0);
  Recorded dense(Scores(one.dense)), other(Scores(one.candidate), "z");
  const auto names = CommonInputs(dense, other);
  ASSERT_FALSE(names.ok());
  EXPECT_NE(names.status().message().find("'y' is the dense network's only"), std::string::npos);
  EXPECT_NE(names.status().message().find("'z' is the candidate's only"), std::string::npos);

  Recorded wide(Tensor(DType::kFloat32, {64, kClasses + 1}));
  EXPECT_FALSE(CommonInputs(dense, wide).ok());

  const auto single = Gate(MakeCase(1, 0, 0));
  ASSERT_FALSE(single.ok());
  EXPECT_NE(single.status().message().find("1 sample "), std::string::npos);

  std::vector<int64_t> labels = one.labels;
  for (int64_t& label : labels) ++label;
  const auto outside = Gate(dense, dense, 64, labels);
  ASSERT_FALSE(outside.ok());
  EXPECT_NE(outside.status().message().find("16 of 64"), std::string::npos);
  EXPECT_NE(outside.status().message().find("count from 1"), std::string::npos);

  const auto options = Gate(one, {.max_drop = -1, .min_same = 95, .max_latency_ratio = 0});
  ASSERT_FALSE(options.ok());
  for (const char* flag : {"--max-drop", "--min-same", "--max-latency-ratio"}) {
    EXPECT_NE(options.status().message().find(flag), std::string::npos) << flag;
  }
}

TEST(Gate, RepeatedSamplesAreRefusedOrTold) {
  const Case one = MakeCase(64, 0, 0);
  Recorded dense(Scores(one.dense)), candidate(Scores(one.candidate));
  const auto gate = [&](int64_t different) {
    Tensor x(DType::kFloat32, {64, 1});
    for (int64_t i = 0; i < 64; ++i) x.Data<float>()[i] = static_cast<float>(std::min(i, different - 1));
    const auto data = OpenTensors({{"x", x}}, dense.inputs()).value();
    return RunGate(dense, candidate, *data, AllSamples(*data), {}, {});
  };
  const auto refused = gate(1);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.status().message().find("all 64 samples are the same"), std::string::npos);
  const auto told = gate(32);
  ASSERT_TRUE(told.ok()) << told.status().message();
  ASSERT_FALSE(told->notices.empty());
  EXPECT_NE(told->notices[0].find("32 of 64 samples repeat others"), std::string::npos) << told->notices[0];
  const auto different = gate(64);
  ASSERT_TRUE(different.ok());
  for (const std::string& notice : different->notices) EXPECT_EQ(notice.find("repeat"), std::string::npos) << notice;
}

TEST(Gate, IntegerAnswersAreClasses) {
  const Case one = MakeCase(300, 6, 0);
  const auto numbers = [](const std::vector<int64_t>& values) {
    return Tensor::Of<int64_t>(DType::kInt64, {static_cast<int64_t>(values.size())}, std::span<const int64_t>(values));
  };
  Recorded dense(numbers(one.dense)), candidate(numbers(one.candidate));
  const auto result = Gate(dense, candidate, 300, one.labels);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_DOUBLE_EQ(Find(*result, "top1_drop").measured, 2);
}

TEST(Gate, LatencyIsMeasuredOnBothSides) {
  const Case one = MakeCase(64, 0, 0);
  Recorded dense(Scores(one.dense)), candidate(Scores(one.candidate));
  GateOptions options;
  options.max_latency_ratio = 1e6;
  options.latency_seconds = 0.02;
  options.latency_batch = 8;
  const auto result = Gate(dense, candidate, 64, one.labels, options);
  ASSERT_TRUE(result.ok());
  EXPECT_GT(Find(*result, "latency_ratio").measured, 0);
  EXPECT_EQ(result->latency->batch, 8);
  EXPECT_TRUE(result->Passed());
}

TEST(GateReport, JunitEscapesAndCounts) {
  const auto result = Gate(MakeCase(1000, 30, 10), {.min_agreement = 0.5});
  ASSERT_TRUE(result.ok());
  GateContext context;
  context.dense = "a<b>.onnx";
  const std::string xml = GateJunit(context, *result);
  EXPECT_NE(xml.find("a&lt;b&gt;.onnx"), std::string::npos);
  EXPECT_NE(xml.find("tests=\"3\" failures=\"1\" errors=\"0\""), std::string::npos);
  EXPECT_NE(GateErrorJunit(context, UserError("no <data>")).find("no &lt;data&gt;"), std::string::npos);
  const std::string text = GateText(context, *result);
  EXPECT_NE(text.find("gate failed"), std::string::npos);
}

}  // namespace
}  // namespace tamis
