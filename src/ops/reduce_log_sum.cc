// ReduceLogSum.
#include <cmath>

#include "src/ops/op_reduce.h"

namespace tamis {
namespace {

struct ReduceLogSumOp {
  double value = 0;
  void Add(double x) { value += x; }
  double Result(double count) const {
    static_cast<void>(count);
    return std::log(value);
  }
};

}  // namespace

extern const OpDef op_reduce_log_sum = {"ReduceLogSum", "", 1, InferReduce,
                                        EvalReduce<ReduceLogSumOp, Elements::kNumbers>};

}  // namespace tamis
