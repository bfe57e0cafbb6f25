#include <cmath>

#include "src/ops/op_reduce.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  return EvalReduce(context, []<class W>(std::span<const W> terms) {
    double sum = 0;
    for (W x : terms) sum += static_cast<double>(x) * static_cast<double>(x);
    return static_cast<W>(std::sqrt(sum));
  });
}

}  // namespace

extern const OpDef op_reduce_l2 = {
    .name = "ReduceL2", .domain = "", .infer = InferReduceOf<kNumbers>, .eval = Eval, .test_cases = ReduceCases};

}  // namespace tamis
