// BatchNormalization: (x - mean) / sqrt(var + epsilon) * scale + bias for each channel of x[N, C, ...]. With given
// moments, or, where the attribute training_mode is set, with those of x itself, as networks use it that standardise
// their weights; the moments given are then blended with x's own for the next run.
#include <algorithm>
#include <cmath>

#include "src/ops/op_case.h"
#include "src/ops/op_numeric.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(5, 5, &problems);
  for (size_t i = 0; i < 5; ++i) operands.CheckFloat(i, &problems);
  operands.CheckRankAtLeast(0, 1, &problems);
  const Node& node = operands.node();
  if (node.Int("spatial", 1) == 0) {
    problems.Add("attribute 'spatial' is 0, which is not supported; export with opset 9 or newer");
  }
  const bool training = operands.opset() >= 14 && node.Int("training_mode", 0) != 0;
  for (size_t i = training ? 3 : 1; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    problems.Add("has outputs beside Y, which only training uses; export the network in evaluation mode");
    break;
  }
  if (const Shape* x = operands.shape(0); x != nullptr && !x->empty()) {
    const Dim channels = x->size() > 1 ? (*x)[1] : Dim(1);
    for (size_t i = 1; i < 5; ++i) operands.CheckShape(i, {channels}, &problems);
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  const Shape* x = operands.shape(0);
  std::vector<Type> types = {x == nullptr ? Unranked(operands.dtype(0)) : Type::Tensor(operands.dtype(0), *x)};
  for (size_t i = 3; training && i < 5; ++i) {
    const Shape* moments = operands.shape(i);
    types.push_back(moments == nullptr ? Unranked(operands.dtype(i)) : Type::Tensor(operands.dtype(i), *moments));
  }
  return types;
}

// One double for each channel; the parameters may be wider or narrower than x.
std::vector<double> Doubles(const Tensor& tensor) {
  std::vector<double> values;
  DispatchFloat(tensor.dtype(), [&](auto zero) {
    const auto span = tensor.Span<decltype(zero)>();
    values.assign(span.begin(), span.end());
  });
  return values;
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

// Calls f(channel, x as a double, index) for every element.
template <class F>
void ForElements(const Tensor& x, int64_t channels, F f) {
  const int64_t plane = x.rank() > 1 ? x.NumElements() / (x.dim(0) * channels) : 1;
  DispatchFloat(x.dtype(), [&](auto zero) {
    const auto* data = x.Data<decltype(zero)>();
    int64_t i = 0;
    while (i < x.NumElements()) {
      for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
        for (const int64_t end = i + plane; i < end; ++i) f(c, static_cast<double>(data[i]), i);
      }
    }
  });
}

// The moments of x's own channels.
void Measure(const Tensor& x, std::vector<double>* mean, std::vector<double>* variance) {
  const auto channels = static_cast<int64_t>(mean->size());
  const double count = static_cast<double>(x.NumElements()) / static_cast<double>(channels);
  std::fill(mean->begin(), mean->end(), 0.0);
  std::fill(variance->begin(), variance->end(), 0.0);
  ForElements(x, channels, [&](size_t c, double value, int64_t) { (*mean)[c] += value; });
  for (double& sum : *mean) sum /= count;
  ForElements(x, channels,
              [&](size_t c, double value, int64_t) { (*variance)[c] += (value - (*mean)[c]) * (value - (*mean)[c]); });
  for (double& sum : *variance) sum /= count;
}

void Blend(const std::vector<double>& given, const std::vector<double>& measured, double momentum, Tensor* result) {
  DispatchFloat(result->dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (size_t c = 0; c < given.size(); ++c) {
      result->Data<T>()[c] = static_cast<T>(given[c] * momentum + measured[c] * (1 - momentum));
    }
  });
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  const Tensor& x = *context.input(0);
  if (x.NumElements() == 0) return {};
  std::vector<double> factor = Doubles(*context.input(1));
  std::vector<double> shift = Doubles(*context.input(2));
  std::vector<double> mean = Doubles(*context.input(3));
  std::vector<double> variance = Doubles(*context.input(4));
  if (context.opset >= 14 && context.node.Int("training_mode", 0) != 0) {
    const std::vector<double> given[2] = {mean, variance};
    Measure(x, &mean, &variance);
    const auto momentum = static_cast<double>(context.node.Float("momentum", 0.9f));
    if (context.outputs.size() > 1) Blend(given[0], mean, momentum, &context.outputs[1]);
    if (context.outputs.size() > 2) Blend(given[1], variance, momentum, &context.outputs[2]);
  }
  const auto epsilon = static_cast<double>(context.node.Float("epsilon", 1e-5f));
  for (size_t c = 0; c < factor.size(); ++c) {
    factor[c] /= std::sqrt(variance[c] + epsilon);
    shift[c] -= mean[c] * factor[c];
  }
  DispatchFloat(context.outputs[0].dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* y = context.outputs[0].Data<T>();
    ForElements(x, static_cast<int64_t>(factor.size()),
                [&](size_t c, double value, int64_t i) { y[i] = static_cast<T>(value * factor[c] + shift[c]); });
  });
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0xba7c4);
  const auto operands = [&make](Dims x, int64_t c) {
    return std::vector<Tensor>{make.Floats(std::move(x)), make.Floats({c}), make.Floats({c}), make.Floats({c}),
                               make.Floats({c}, 0.1f, 2)};
  };
  std::vector<OpTestCase> cases;
  cases.push_back({operands({2, 3, 5, 7}, 3), {}});
  cases.push_back({operands({4, 9}, 9), {{"epsilon", 0.01f}}});
  cases.push_back({operands({1, 5, 3}, 5), {}});
  cases.push_back({operands({7}, 1), {}});
  cases.push_back({operands({2, 3, 5, 7}, 3), {{"training_mode", int64_t{1}}, {"momentum", 0.7f}}});
  return cases;
}

}  // namespace

extern const OpDef op_batch_normalization = {.name = "BatchNormalization",
                                             .domain = "",
                                             .since_opset = 7,
                                             .infer = Infer,
                                             .eval = Eval,
                                             .test_cases = TestCases};

}  // namespace tamis
