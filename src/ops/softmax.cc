// Softmax: exp(x) / sum(exp(x)) along an axis; src/ops/op_softmax.h has the two meanings of the axis.
#include "src/ops/op_softmax.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  return InferBy(context, SoftmaxType);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, SoftmaxType));
  ComputeSoftmax(context, SoftmaxKind::kPlain);
  return {};
}

}  // namespace

extern const OpDef op_softmax = {.name = "Softmax",
                                 .domain = "",
                                 .since_opset = 1,
                                 .infer = Infer,
                                 .eval = Eval,
                                 .test_cases = SoftmaxTestCases,
                                 .widen_half = false};

}  // namespace tamis
