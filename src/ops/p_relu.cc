// PRelu: x, slope * x where negative; the slope broadcasts to x.
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct PReluOp : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kNumbers;
  template <class T>
  auto operator()(T x, T slope) const {
    return x < T{0} ? slope * x : x;
  }
};

}  // namespace

extern const OpDef op_p_relu = {"PRelu", "", 7, InferBroadcast, EvalBroadcast<PReluOp>};

}  // namespace tamis
