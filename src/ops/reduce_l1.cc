#include "src/ops/op_reduce.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  return EvalReduce(context, []<class W>(std::span<const W> terms) {
    return SumOf(terms, [](W x) { return x < W{} ? Wrapping(W{}, x, std::minus<>()) : x; });
  });
}

}  // namespace

extern const OpDef op_reduce_l1 = {
    .name = "ReduceL1", .domain = "", .infer = InferReduceOf<kNumbers>, .eval = Eval, .test_cases = ReduceCases};

}  // namespace tamis
