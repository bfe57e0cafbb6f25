// SoftmaxCrossEntropyLoss: the negative log-likelihood of the softmax of x along the classes; output 1 is its
// logarithm.
#include <algorithm>
#include <cmath>

#include "src/ops/op_axis_rows.h"
#include "src/ops/op_doubles.h"
#include "src/ops/op_loss.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  return InferBy(context, LossTypes);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, LossTypes));
  const Dims& dims = context.input(0)->dims();
  auto x = ReadDoubles(*context.input(0));
  const int64_t step = NumElements(std::span<const int64_t>(dims).subspan(2));
  if (!x.empty()) {
    ForEachRow(static_cast<int64_t>(x.size()), dims[1], step, [&](const AxisRow& row) {
      const auto at = [&](int64_t i) -> double& { return x[static_cast<size_t>(row.first + i * row.step)]; };
      double most = at(0), sum = 0;
      for (int64_t i = 1; i < row.size; ++i) most = std::max(most, at(i));
      for (int64_t i = 0; i < row.size; ++i) sum += std::exp(at(i) - most);
      for (int64_t i = 0; i < row.size; ++i) at(i) -= most + std::log(sum);
    });
  }
  if (context.outputs.size() > 1) WriteDoubles(context.outputs[1], x);
  return ComputeLoss(context, x);
}

}  // namespace

extern const OpDef op_softmax_cross_entropy_loss = {.name = "SoftmaxCrossEntropyLoss",
                                                    .domain = "",
                                                    .since_opset = 12,
                                                    .infer = Infer,
                                                    .eval = Eval,
                                                    .test_cases = LossCases};

}  // namespace tamis
