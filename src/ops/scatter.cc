// Scatter, which ScatterElements superseded in opset 11 under another name.
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"
#include "src/ops/op_scatter.h"

namespace tamis {
namespace {

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {4, 3}), SampleInts(2, {2, 3}, 0, 3), SampleFloats(3, {2, 3})}, {}},
          {{SampleFloats(4, {4, 3}), SampleInts(5, {4, 2}, 0, 2), SampleFloats(6, {4, 2})}, {{"axis", int64_t{1}}}}};
}

}  // namespace

extern const OpDef op_scatter = {.name = "Scatter",
                                 .domain = "",
                                 .since_opset = 9,
                                 .infer = InferScatterElements,
                                 .eval = EvalMoved<EvalScatterElements>,
                                 .test_cases = Cases,
                                 .widen_half = false};

}  // namespace tamis
