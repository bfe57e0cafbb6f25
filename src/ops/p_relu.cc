#include <functional>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

// The slope broadcasts to x; the result has the shape of x.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(InferBroadcast(context, {}));
  const Shape* x = context.InputShape(0);
  const Shape* slope = context.InputShape(1);
  if (x == nullptr || slope == nullptr) return {};
  if (slope->size() > x->size()) return context.Error("the slope has more dimensions than the data");
  return SetShape(context, 0, context.InputDType(0), *x);
}

Status Eval(EvalContext& context) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  const Dims& x = context.input(0)->dims();
  const Dims& slope = context.input(1)->dims();
  for (size_t i = 0; i < slope.size(); ++i) {
    const int64_t own = slope[slope.size() - 1 - i];
    if (own != 1 && own != x[x.size() - 1 - i]) {
      return context.Error(fmt::format("slope {} does not broadcast to {}", ToString(slope), ToString(x)));
    }
  }
  return EvalElements<2>(context,
                         [](auto a, auto b) { return a < decltype(a){} ? Wrapping(a, b, std::multiplies<>()) : a; });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {2, 3, 4}), SampleFloats(2, {3, 1})}, {}}};
}

}  // namespace

extern const OpDef op_p_relu = {
    .name = "PRelu", .domain = "", .since_opset = 7, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
