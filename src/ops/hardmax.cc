// Hardmax: 1 for the first greatest element along an axis, else 0. src/ops/op_softmax.h has the two meanings of the
// axis.
#include "src/ops/op_axis_rows.h"
#include "src/ops/op_doubles.h"
#include "src/ops/op_softmax.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  return InferBy(context, SoftmaxType);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, SoftmaxType));
  const Tensor& x = *context.input(0);
  if (x.NumElements() == 0) return {};
  const auto values = ReadDoubles(x);
  std::vector<double> y(values.size(), 0.0);
  const SoftmaxRows rows = SoftmaxRowsOf(context);
  ForEachRow(x.NumElements(), rows.size, rows.step, [&](const AxisRow& row) {
    auto best = static_cast<size_t>(row.first);
    for (int64_t i = 1; i < row.size; ++i) {
      const auto at = static_cast<size_t>(row.first + i * row.step);
      if (values[at] > values[best]) best = at;
    }
    y[best] = 1;
  });
  WriteDoubles(context.outputs[0], y);
  return {};
}

}  // namespace

extern const OpDef op_hardmax = {
    .name = "Hardmax", .domain = "", .since_opset = 1, .infer = Infer, .eval = Eval, .test_cases = SoftmaxTestCases};

}  // namespace tamis
