#include "src/ops/op_cast.h"
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  const int64_t to = context.node().Int("to", 0);
  if (to <= 0 || to > 255) return context.Error(fmt::format("attribute 'to' is {}, not an element type", to));
  return InferCast(context, static_cast<DType>(to));
}

Status Eval(EvalContext& context) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  CastElements(context);
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5}, -100, 100)}, {{"to", int64_t{3}}}},
          {{SampleFloats(2, {3, 5})}, {{"to", int64_t{16}}}},
          {{SampleInts(3, {4}, -1, 1)}, {{"to", int64_t{9}}}}};
}

}  // namespace

extern const OpDef op_cast = {
    .name = "Cast", .domain = "", .infer = Infer, .eval = Eval, .test_cases = Cases, .widen_half = false};

}  // namespace tamis
