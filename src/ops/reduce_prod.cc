// ReduceProd.
#include <cmath>

#include "src/ops/op_reduce.h"

namespace tamis {
namespace {

struct ReduceProdOp {
  double value = 1;
  void Add(double x) { value *= x; }
  double Result(double count) const {
    static_cast<void>(count);
    return value;
  }
};

}  // namespace

extern const OpDef op_reduce_prod = {"ReduceProd", "", 1, InferReduce, EvalReduce<ReduceProdOp, Elements::kNumbers>};

}  // namespace tamis
