// Bernoulli: 1 with the probability that the input holds, else 0.
#include "src/ops/op_doubles.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_random_numbers.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kFloats));
  TAMIS_ASSIGN_OR_RETURN(const DType dtype, RandomDType(context, context.InputDType(0), kNumbers | kBools));
  context.SetOutputDType(0, dtype);
  if (context.InputShape(0) == nullptr) return {};
  return SetShape(context, 0, dtype, *context.InputShape(0));
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  auto p = ReadDoubles(*context.input(0));
  const RandomNumbers random(context.node);
  for (size_t i = 0; i < p.size(); ++i) p[i] = random.Uniform(static_cast<int64_t>(i)) < p[i] ? 1 : 0;
  WriteDoubles(context.outputs[0], p);
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5}, 0, 1)}, {{"seed", 3.0f}}},
          {{SampleFloats(1, {3, 5}, 0, 1)}, {{"seed", 3.0f}, {"dtype", int64_t{9}}}}};
}

}  // namespace

extern const OpDef op_bernoulli = {.name = "Bernoulli",
                                   .domain = "",
                                   .since_opset = 15,
                                   .infer = Infer,
                                   .eval = Eval,
                                   .test_cases = Cases,
                                   .widen_half = false};

}  // namespace tamis
