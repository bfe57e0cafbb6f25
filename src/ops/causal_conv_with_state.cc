// CausalConvWithState: a depthwise convolution over the current and the k - 1 positions before it, [B, C, L]; the last
// k - 1 positions seen are the state of the next call.
#include <cmath>
#include <string>

#include "src/ops/op_case.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"
#include "src/ops/op_quantize.h"
#include "src/ops/op_round.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

enum Input : size_t { kX, kWeight, kBias, kPast };

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(2, 4, &problems);
  for (const size_t i : {kX, kWeight, kBias, kPast}) operands.CheckFloat(i, &problems);
  operands.CheckSameDType({kX, kWeight, kBias, kPast}, &problems);
  operands.CheckRank(kX, 3, &problems);
  operands.CheckRank(kWeight, 3, &problems);
  const std::string activation = operands.node().String("activation", "none");
  if (activation != "none" && activation != "silu" && activation != "swish") {
    problems.Add("attribute activation is '{}' but must be none, silu or swish", activation);
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  const DType dtype = operands.dtype(kX);
  const Shape* x = operands.shape(kX);
  const Shape* weight = operands.shape(kWeight);
  if (x == nullptr || weight == nullptr) return std::vector<Type>{Unranked(dtype), Unranked(dtype)};
  const Shape state = {(*x)[0], (*x)[1], (*weight)[2] - Dim(1)};
  operands.CheckShape(kWeight, {(*x)[1], Dim(1), (*weight)[2]}, &problems);
  operands.CheckShape(kBias, {(*x)[1]}, &problems);
  operands.CheckShape(kPast, state, &problems);
  if ((*weight)[2] == Dim(0)) problems.Add("the kernel {} is empty", ToString(*weight));
  TAMIS_RETURN_IF_ERROR(problems.status());
  return std::vector<Type>{Type::Tensor(dtype, *x), Type::Tensor(dtype, state)};
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(BindAny(context).status());
  const auto doubles = [&](size_t i) {
    return context.input(i) == nullptr ? Tensor() : Centered(*context.input(i), nullptr, DType::kFloat64);
  };
  const Tensor x = doubles(kX), weight = doubles(kWeight), bias = doubles(kBias), past = doubles(kPast);
  const int64_t channels = x.dim(1), length = x.dim(2), kernel = weight.dim(2), state = kernel - 1;
  const bool silu = context.node.String("activation", "none") != "none";
  const StepRounding round(context.input(kX)->dtype());
  std::vector<double> seen(static_cast<size_t>(state + length)), y(static_cast<size_t>(length));
  for (int64_t row = 0; row < x.dim(0) * channels; ++row) {
    const int64_t channel = row % channels;
    std::fill_n(seen.begin(), state, 0.0);
    if (past.Defined()) std::copy_n(past.Data<double>() + row * state, state, seen.begin());
    std::copy_n(x.Data<double>() + row * length, length, seen.begin() + state);
    for (int64_t i = 0; i < length; ++i) {
      double sum = bias.Defined() ? bias.Data<double>()[channel] : 0;
      for (int64_t t = 0; t < kernel; ++t) {
        sum += seen[static_cast<size_t>(i + t)] * weight.Data<double>()[channel * kernel + t];
      }
      sum = round(sum);
      y[static_cast<size_t>(i)] = silu ? sum / (1 + std::exp(-sum)) : sum;
    }
    WriteWide<double>(context.outputs[0], row * length, y);
    if (context.outputs.size() > 1) {
      WriteWide<double>(context.outputs[1], row * state,
                        std::span<const double>(seen).last(static_cast<size_t>(state)));
    }
  }
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0xc5a1);
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({2, 3, 7}), make.Floats({3, 1, 4}), make.Floats({3}), make.Floats({2, 3, 3})},
                   {{"activation", std::string("silu")}}});
  cases.push_back({{make.Floats({1, 2, 2}), make.Floats({2, 1, 4})}, {}});
  return cases;
}

}  // namespace

extern const OpDef op_causal_conv_with_state = {.name = "CausalConvWithState",
                                                .domain = "",
                                                .since_opset = 27,
                                                .infer = Infer,
                                                .eval = Eval,
                                                .test_cases = TestCases,
                                                .widen_half = false};

}  // namespace tamis
