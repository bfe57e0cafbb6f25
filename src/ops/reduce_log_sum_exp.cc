// ReduceLogSumExp, with the running maximum taken out so that nothing overflows.
#include <cmath>
#include <limits>

#include "src/ops/op_reduce.h"

namespace tamis {
namespace {

struct LogSumExp {
  double largest = -std::numeric_limits<double>::infinity();
  double sum = 0;  // of exp(x - largest)
  void Add(double x) {
    if (x > largest) {
      sum = sum * std::exp(largest - x) + 1;
      largest = x;
    } else if (largest != -std::numeric_limits<double>::infinity()) {
      sum += std::exp(x - largest);
    }
  }
  double Result(double) const { return largest + std::log(sum); }
};

}  // namespace

extern const OpDef op_reduce_log_sum_exp = {"ReduceLogSumExp", "", 1, InferReduce,
                                            EvalReduce<LogSumExp, Elements::kFloats>};

}  // namespace tamis
