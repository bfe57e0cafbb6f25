// BatchNormalization at inference: (x - mean) / sqrt(var + epsilon) * scale + bias for each channel of x[N, C, ...].
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
  if (node.Int("training_mode", 0) != 0) {
    problems.Add("attribute 'training_mode' is set; export the network in evaluation mode");
  }
  if (node.Int("spatial", 1) == 0) {
    problems.Add("attribute 'spatial' is 0, which is not supported; export with opset 9 or newer");
  }
  for (size_t i = 1; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    problems.Add("has outputs beside Y, which only training uses; export the network in evaluation mode");
    break;
  }
  if (const Shape* x = operands.shape(0); x != nullptr && !x->empty()) {
    const Dim channels = x->size() > 1 ? (*x)[1] : Dim(1);
    for (size_t i = 1; i < 5; ++i) operands.CheckShape(i, {channels}, &problems);
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  if (operands.shape(0) == nullptr) return std::vector<Type>{Unranked(operands.dtype(0))};
  return std::vector<Type>{Type::Tensor(operands.dtype(0), *operands.shape(0))};
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

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  const Tensor& x = *context.input(0);
  if (x.NumElements() == 0) return {};
  std::vector<double> factor = Doubles(*context.input(1));
  std::vector<double> shift = Doubles(*context.input(2));
  const std::vector<double> mean = Doubles(*context.input(3));
  const std::vector<double> variance = Doubles(*context.input(4));
  const auto epsilon = static_cast<double>(context.node.Float("epsilon", 1e-5f));
  for (size_t c = 0; c < factor.size(); ++c) {
    factor[c] /= std::sqrt(variance[c] + epsilon);
    shift[c] -= mean[c] * factor[c];
  }
  const auto channels = static_cast<int64_t>(factor.size());
  const int64_t plane = x.rank() > 1 ? x.NumElements() / (x.dim(0) * channels) : 1;
  DispatchFloat(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* y = context.outputs[0].Data<T>();
    for (int64_t i = 0; i < x.NumElements(); ++i) {
      const auto c = static_cast<size_t>(i / plane % channels);
      y[i] = static_cast<T>(static_cast<double>(x.Data<T>()[i]) * factor[c] + shift[c]);
    }
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
