#include "src/ops/op_reduce.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  return EvalReduce(context, []<class W>(std::span<const W> terms) {
    if (terms.empty() && !std::is_same_v<W, double>) return W{};
    return static_cast<W>(SumOf(terms, [](W x) { return x; }) / static_cast<W>(terms.size()));
  });
}

}  // namespace

extern const OpDef op_reduce_mean = {
    .name = "ReduceMean", .domain = "", .infer = InferReduceOf<kNumbers>, .eval = Eval, .test_cases = ReduceCases};

}  // namespace tamis
