// Range: start, start + delta, ... before limit.
#include <cmath>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  const DType dtype = context.InputDType(0);
  context.SetOutputDType(0, dtype);
  const auto start = context.InputContents(0);
  const auto limit = context.InputContents(1);
  const auto delta = context.InputContents(2);
  if (!start || !limit || !delta) return {};
  const auto step = (*delta)[0].Constant();
  if (!step || *step == 0) return {};
  const Dim distance = *step > 0 ? (*limit)[0] - (*start)[0] : (*start)[0] - (*limit)[0];
  Dim count = Dim::CeilDiv(distance, Dim(std::abs(*step)));
  if (const auto constant = count.Constant()) count = Dim(std::max<int64_t>(*constant, 0));
  context.SetOutput(0, dtype, {count});
  const auto first = (*start)[0].Constant();
  if (const auto n = count.Constant(); n && first && *n <= 64) {
    std::vector<Dim> contents;
    for (int64_t i = 0; i < *n; ++i) contents.emplace_back(*first + i * *step);
    context.SetOutputContents(0, std::move(contents));
  }
  return {};
}

Status Eval(EvalContext& context) {
  const Tensor& start = *context.input(0);
  for (const Tensor* operand : context.inputs) {
    if (operand == nullptr || operand->NumElements() != 1 || operand->dtype() != start.dtype()) {
      return context.Error("start, limit and delta must be three scalars of one element type");
    }
  }
  return DispatchElements(context, start.dtype(), Elements::kNumbers, [&]<class T>(T) {
    const T first = start.Data<T>()[0];
    const T delta = context.input(2)->Data<T>()[0];
    if (delta == T{0}) return context.Error("delta is 0");
    const double distance = static_cast<double>(context.input(1)->Data<T>()[0]) - static_cast<double>(first);
    const double count = std::max(0.0, std::ceil(distance / static_cast<double>(delta)));
    if (!(count <= static_cast<double>(kMaxElements))) return context.Error("the result is too large");
    Tensor y(start.dtype(), {static_cast<int64_t>(count)});
    for (int64_t i = 0; i < y.NumElements(); ++i) y.Data<T>()[i] = static_cast<T>(first + static_cast<T>(i) * delta);
    context.outputs[0] = std::move(y);
    return Status();
  });
}

}  // namespace

extern const OpDef op_range = {.name = "Range", .since_opset = 11, .infer = Infer, .eval = Eval};

}  // namespace tamis
