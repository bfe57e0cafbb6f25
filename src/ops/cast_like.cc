#include "src/ops/op_cast.h"
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

// Inputs: data, and a tensor whose element type alone matters.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 2, 2));
  return InferCast(context, context.InputDType(1));
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5}), SampleInts(2, {1}, 0, 1)}, {}}};
}

}  // namespace

extern const OpDef op_cast_like = {.name = "CastLike",
                                   .domain = "",
                                   .since_opset = 1,
                                   .infer = Infer,
                                   .eval = EvalCast,
                                   .test_cases = Cases,
                                   .widen_half = false};

}  // namespace tamis
