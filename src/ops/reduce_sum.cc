#include "src/ops/op_reduce.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  return EvalReduce(context, []<class W>(std::span<const W> terms) { return SumOf(terms, [](W x) { return x; }); });
}

}  // namespace

extern const OpDef op_reduce_sum = {
    .name = "ReduceSum", .domain = "", .infer = InferReduceOf<kNumbers>, .eval = Eval, .test_cases = ReduceCases};

}  // namespace tamis
