#include <cmath>

#include "src/ops/op_reduce.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  return EvalReduce(context, []<class W>(std::span<const W> terms) {
    using Limits = std::numeric_limits<W>;
    W best = Limits::has_infinity ? static_cast<W>(Limits::infinity()) : Limits::max();
    for (W x : terms) {
      if constexpr (Limits::has_infinity) {
        if (std::isnan(x)) return x;
      }
      if (x < best) best = x;
    }
    return best;
  });
}

}  // namespace

extern const OpDef op_reduce_min = {.name = "ReduceMin",
                                    .domain = "",
                                    .infer = InferReduceOf<kNumbers | kBools>,
                                    .eval = Eval,
                                    .test_cases = ReduceCases};

}  // namespace tamis
