// ReduceSum.
#include <cmath>

#include "src/ops/op_reduce.h"

namespace tamis {
namespace {

struct ReduceSumOp {
  double value = 0;
  void Add(double x) { value += x; }
  double Result(double count) const {
    static_cast<void>(count);
    return value;
  }
};

}  // namespace

extern const OpDef op_reduce_sum = {"ReduceSum", "", 1, InferReduce, EvalReduce<ReduceSumOp, Elements::kNumbers>};

}  // namespace tamis
