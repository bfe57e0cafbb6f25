// ReduceL2.
#include <cmath>

#include "src/ops/op_reduce.h"

namespace tamis {
namespace {

struct ReduceL2Op {
  double value = 0;
  void Add(double x) { value += x * x; }
  double Result(double count) const {
    static_cast<void>(count);
    return std::sqrt(value);
  }
};

}  // namespace

extern const OpDef op_reduce_l2 = {"ReduceL2", "", 1, InferReduce, EvalReduce<ReduceL2Op, Elements::kNumbers>};

}  // namespace tamis
