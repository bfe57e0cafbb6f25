// StringConcat: pairs of strings joined, with broadcasting.
#include "src/ops/op_broadcast_read.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  return InferBroadcast(context, {.allowed = kAnyDType & ~kFixedSize});
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(BindAny(context).status());
  Tensor& output = context.outputs[0];
  const BroadcastIndex x(context.input(0)->dims(), output.dims());
  const BroadcastIndex y(context.input(1)->dims(), output.dims());
  const auto* xs = context.input(0)->Data<std::string>();
  const auto* ys = context.input(1)->Data<std::string>();
  int64_t i = 0;
  for (std::string& text : output.Span<std::string>()) {
    text = xs[x(i)] + ys[y(i)];
    ++i;
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{Tensor::Strings({2, 1}, {"a", ""}), Tensor::Strings({3}, {"b", "", "c d"})}, {}}};
}

}  // namespace

extern const OpDef op_string_concat = {
    .name = "StringConcat", .domain = "", .since_opset = 20, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
