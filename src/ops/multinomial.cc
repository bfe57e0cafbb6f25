// Multinomial: sample_size classes for each row of unnormalised log-probabilities x[B, C].
#include <algorithm>
#include <cmath>

#include "src/ops/op_doubles.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_random_numbers.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kFloats));
  TAMIS_ASSIGN_OR_RETURN(const DType dtype, RandomDType(context, DType::kInt32, kIntegers));
  const int64_t samples = context.node().Int("sample_size", 1);
  if (samples < 1) return context.Error("attribute 'sample_size' must be positive");
  context.SetOutputDType(0, dtype);
  const Shape* x = context.InputShape(0);
  if (x == nullptr) return {};
  if (x->size() != 2 || (*x)[1] == Dim(0))
    return context.Error(fmt::format("needs [batch, classes], has {}", ToString(*x)));
  return SetShape(context, 0, dtype, {(*x)[0], Dim(samples)});
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  const auto x = ReadDoubles(*context.input(0));
  const auto classes = static_cast<size_t>(context.input(0)->dim(1));
  const int64_t samples = context.node.Int("sample_size", 1);
  const RandomNumbers random(context.node);
  std::vector<double> y, sums(classes);
  for (int64_t row = 0; row < context.input(0)->dim(0); ++row) {
    const double* from = x.data() + static_cast<size_t>(row) * classes;
    const double most = *std::max_element(from, from + classes);
    double sum = 0;
    for (size_t c = 0; c < classes; ++c) sums[c] = sum += std::exp(from[c] - most);
    for (int64_t i = 0; i < samples; ++i) {
      const double at = random.Uniform(row * samples + i) * sum;
      const auto found = std::upper_bound(sums.begin(), sums.end(), at) - sums.begin();
      y.push_back(static_cast<double>(std::min<int64_t>(found, static_cast<int64_t>(classes) - 1)));
    }
  }
  WriteDoubles(context.outputs[0], y);
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5})}, {{"seed", 3.0f}, {"sample_size", int64_t{4}}}},
          {{SampleFloats(1, {3, 5})}, {{"seed", 3.0f}, {"dtype", int64_t{7}}}}};
}

}  // namespace

extern const OpDef op_multinomial = {.name = "Multinomial",
                                     .domain = "",
                                     .since_opset = 7,
                                     .infer = Infer,
                                     .eval = Eval,
                                     .test_cases = Cases,
                                     .widen_half = false};

}  // namespace tamis
