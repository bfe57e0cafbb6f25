// ReduceSumSquare.
#include <cmath>

#include "src/ops/op_reduce.h"

namespace tamis {
namespace {

struct ReduceSumSquareOp {
  double value = 0;
  void Add(double x) { value += x * x; }
  double Result(double count) const {
    static_cast<void>(count);
    return value;
  }
};

}  // namespace

extern const OpDef op_reduce_sum_square = {"ReduceSumSquare", "", 1, InferReduce,
                                           EvalReduce<ReduceSumSquareOp, Elements::kNumbers>};

}  // namespace tamis
