#include <cmath>

#include "src/ops/op_reduce.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  return EvalReduce(context, []<class W>(std::span<const W> terms) {
    // Shifted by the largest term, so that no exponential overflows.
    double largest = -std::numeric_limits<double>::infinity();
    for (W x : terms) {
      if (!(static_cast<double>(x) <= largest)) largest = static_cast<double>(x);  // also NaN
      if (std::isnan(largest)) break;
    }
    if (!std::isfinite(largest)) return static_cast<W>(largest);
    double sum = 0;
    for (W x : terms) sum += std::exp(static_cast<double>(x) - largest);
    return static_cast<W>(largest + std::log(sum));
  });
}

}  // namespace

extern const OpDef op_reduce_log_sum_exp = {
    .name = "ReduceLogSumExp", .domain = "", .infer = InferReduceOf<kFloats>, .eval = Eval, .test_cases = ReduceCases};

}  // namespace tamis
