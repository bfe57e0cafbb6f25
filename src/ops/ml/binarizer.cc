// Binarizer: 1 where x is above the threshold, 0 elsewhere, in x's type. A pass writes it in operators of ONNX.
#include "src/ops/ml/op_ml.h"
#include "src/ops/op_doubles.h"
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  return InferUnary(context, kNumbers);
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  const double threshold = context.node.Float("threshold", 0);
  std::vector<double> values = ReadDoubles(*context.input(0));
  for (double& value : values) value = value > threshold ? 1 : 0;
  WriteDoubles(context.outputs[0], values);
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 4})}, {{"threshold", 0.5F}}}, {{SampleInts(2, {7}, -2, 2)}, {{"threshold", -0.5F}}}};
}

}  // namespace

extern const OpDef op_binarizer = {
    .name = "Binarizer", .domain = kMlDomain, .since_opset = 1, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
