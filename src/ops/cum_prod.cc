// CumProd: every element is the product of those up to it along an axis.
#include <functional>

#include "src/ops/op_cumulative.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  return EvalCumulative(context, 1, std::multiplies<>());
}

std::vector<OpTestCase> Cases() {
  return {
      {{SampleFloats(1, {2, 3, 4}), SampleInts(2, {}, 1, 1)}, {}},
      {{SampleInts(3, {5}, -9, 9), SampleInts(4, {}, -1, -1)}, {{"exclusive", int64_t{1}}, {"reverse", int64_t{1}}}}};
}

}  // namespace

extern const OpDef op_cum_prod = {
    .name = "CumProd", .domain = "", .since_opset = 26, .infer = InferCumulative, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
