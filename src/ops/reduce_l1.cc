// ReduceL1.
#include <cmath>

#include "src/ops/op_reduce.h"

namespace tamis {
namespace {

struct ReduceL1Op {
  double value = 0;
  void Add(double x) { value += std::abs(x); }
  double Result(double count) const {
    static_cast<void>(count);
    return value;
  }
};

}  // namespace

extern const OpDef op_reduce_l1 = {"ReduceL1", "", 1, InferReduce, EvalReduce<ReduceL1Op, Elements::kNumbers>};

}  // namespace tamis
