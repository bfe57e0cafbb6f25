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

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5}, -100, 100)}, {{"to", int64_t{3}}}},
          {{SampleFloats(2, {3, 5})}, {{"to", int64_t{16}}}},
          {{SampleInts(3, {4}, -1, 1)}, {{"to", int64_t{9}}}},
          {{SampleFloats(4, {3, 5}, -500, 500)}, {{"to", int64_t{17}}}},
          {{SampleInts(5, {7}, -9, 9)}, {{"to", int64_t{22}}}},
          {{Tensor::Strings({2}, {"-1.5e1", "INF"})}, {{"to", int64_t{1}}}}};
}

}  // namespace

extern const OpDef op_cast = {
    .name = "Cast", .domain = "", .infer = Infer, .eval = EvalCast, .test_cases = Cases, .widen_half = false};

}  // namespace tamis
