#include "src/ops/op_broadcast_read.h"
#include "src/ops/op_compare.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  const auto equal = [](const InferContext&, const Dim& a, const Dim& b) {
    return Decided(a == b, NeverNegative(a - b - Dim(1)) || NeverNegative(b - a - Dim(1)));
  };
  const unsigned strings = context.opset() >= 19 ? 16 : 0;
  return InferBroadcast(context, {.allowed = kNumbers | kBools | strings, .result = DType::kBool, .contents = equal});
}

Status EvalStrings(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(BindAny(context).status());
  Tensor& output = context.outputs[0];
  const BroadcastIndex a(context.input(0)->dims(), output.dims());
  const BroadcastIndex b(context.input(1)->dims(), output.dims());
  const auto* as = context.input(0)->Data<std::string>();
  const auto* bs = context.input(1)->Data<std::string>();
  auto* out = output.Data<uint8_t>();
  for (int64_t i = 0; i < output.NumElements(); ++i) out[i] = as[a(i)] == bs[b(i)] ? 1 : 0;
  return {};
}

Status Eval(EvalContext& context) {
  if (context.input(0) != nullptr && context.input(0)->dtype() == DType::kString) return EvalStrings(context);
  return EvalComparison(context, [](auto a, auto b) { return a == b; });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {2, 1, 5}), SampleFloats(2, {3, 1})}, {}},
          {{SampleInts(3, {4}, -9, 9), SampleInts(4, {}, 1, 9)}, {}},
          {{Tensor::Strings({2, 1}, {"a", ""}), Tensor::Strings({2}, {"", "b"})}, {}}};
}

}  // namespace

extern const OpDef op_equal = {
    .name = "Equal", .domain = "", .since_opset = 7, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
