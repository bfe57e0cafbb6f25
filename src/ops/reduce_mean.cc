// ReduceMean.
#include <cmath>

#include "src/ops/op_reduce.h"

namespace tamis {
namespace {

struct ReduceMeanOp {
  double value = 0;
  void Add(double x) { value += x; }
  double Result(double count) const {
    static_cast<void>(count);
    return value / count;
  }
};

}  // namespace

extern const OpDef op_reduce_mean = {"ReduceMean", "", 1, InferReduce, EvalReduce<ReduceMeanOp, Elements::kNumbers>};

}  // namespace tamis
