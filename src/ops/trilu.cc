// Trilu: the upper or lower triangle of the last two axes.
#include "src/ops/op_data.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  const Tensor& x = *context.input(0);
  if (x.rank() < 2) return context.Error("it needs at least two axes");
  const int64_t shift = context.input(1) ? context.input(1)->ToInt64s().at(0) : 0;
  const bool upper = context.node.Int("upper", 1) != 0;
  const int64_t rows = x.dim(-2);
  const int64_t columns = x.dim(-1);
  Tensor y(x.dtype(), x.dims());
  const size_t size = ByteSize(x.dtype(), 1);
  for (int64_t i = 0, n = x.NumElements(); i < n; ++i) {
    const int64_t distance = i % columns - i / columns % rows;
    if (upper ? distance >= shift : distance <= shift) {
      std::memcpy(y.raw() + static_cast<size_t>(i) * size, x.raw() + static_cast<size_t>(i) * size, size);
    }
  }
  context.outputs[0] = std::move(y);
  return {};
}

}  // namespace

extern const OpDef op_trilu = {
    .name = "Trilu", .since_opset = 14, .infer = InferSame, .eval = Eval, .widen_half = false};

}  // namespace tamis
