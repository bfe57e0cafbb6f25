// ReduceMin.
#include <cmath>
#include <limits>

#include "src/ops/op_reduce.h"

namespace tamis {
namespace {

struct ReduceMinOp {
  double value = std::numeric_limits<double>::infinity();
  void Add(double x) { value = std::isnan(x) || x < value ? x : value; }
  double Result(double count) const {
    static_cast<void>(count);
    return value;
  }
};

}  // namespace

extern const OpDef op_reduce_min = {"ReduceMin", "", 1, InferReduce, EvalReduce<ReduceMinOp, Elements::kNumbers>};

}  // namespace tamis
