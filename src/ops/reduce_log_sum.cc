#include <cmath>

#include "src/ops/op_reduce.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  return EvalReduce(context, []<class W>(std::span<const W> terms) {
    return static_cast<W>(std::log(static_cast<double>(SumOf(terms, [](W x) { return x; }))));
  });
}

}  // namespace

extern const OpDef op_reduce_log_sum = {
    .name = "ReduceLogSum", .domain = "", .infer = InferReduceOf<kFloats>, .eval = Eval, .test_cases = ReduceCases};

}  // namespace tamis
