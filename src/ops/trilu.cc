#include <algorithm>
#include <cstring>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"

namespace tamis {
namespace {

// Keeps the upper (upper=1) or lower triangle of each matrix; input 1 moves the diagonal.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 2));
  if (context.HasInput(1)) TAMIS_RETURN_IF_ERROR(CheckDType(context, 1, kIntegers));
  const Shape* shape = context.InputShape(0);
  if (shape != nullptr && shape->size() < 2)
    return context.Error(fmt::format("needs matrices, has {}", ToString(*shape)));
  context.SetOutput(0, *context.InputType(0));
  return {};
}

Status Eval(EvalContext& context) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  const Tensor& data = *context.input(0);
  int64_t diagonal = 0;
  if (context.input(1) != nullptr) {
    if (context.input(1)->NumElements() != 1) return context.Error("the diagonal must be one number");
    diagonal = std::clamp(context.input(1)->ToInt64s()[0], -kMaxElements, kMaxElements);
  }
  const bool upper = context.node.Int("upper", 1) != 0;
  const int64_t rows = data.dim(-2);
  const int64_t columns = data.dim(-1);
  const size_t element = ElementBytes(data);
  for (int64_t row = 0; columns > 0 && row < data.NumElements() / columns; ++row) {
    const int64_t split = std::clamp<int64_t>(row % rows + diagonal + (upper ? 0 : 1), 0, columns);
    const auto begin = static_cast<size_t>(row * columns + (upper ? split : 0)) * element;
    const auto size = static_cast<size_t>(upper ? columns - split : split) * element;
    if (size > 0) std::memcpy(context.outputs[0].raw() + begin, data.raw() + begin, size);
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {2, 3, 4})}, {}},
          {{SampleFloats(1, {3, 4}), SampleInts(2, {}, -1, -1)}, {{"upper", int64_t{0}}}}};
}

}  // namespace

extern const OpDef op_trilu = {.name = "Trilu",
                               .domain = "",
                               .since_opset = 1,
                               .infer = Infer,
                               .eval = EvalMoved<Eval>,
                               .test_cases = Cases,
                               .widen_half = false};

}  // namespace tamis
