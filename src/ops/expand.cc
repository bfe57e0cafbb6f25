// Expand: broadcasts to a shape, in both directions.
#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  const Shape* x = context.InputShape(0);
  const auto target = context.InputContents(1);
  context.SetOutputDType(0, context.InputDType(0));
  if (x == nullptr || !target) return {};
  auto joined = JoinShapes(*x, *target);
  if (!joined) return context.Error(fmt::format("{} does not broadcast to {}", ToString(*x), ToString(*target)));
  context.SetOutput(0, context.InputDType(0), std::move(*joined));
  const auto contents = context.InputContents(0);
  if (contents && contents->size() == 1 && target->size() == 1 && (*target)[0].IsConstant()) {
    const int64_t count = *(*target)[0].Constant();
    if (count >= 1 && count <= 64)
      context.SetOutputContents(0, std::vector<Dim>(static_cast<size_t>(count), (*contents)[0]));
  } else if (contents && contents->size() > 1) {
    context.SetOutputContents(0, *contents);
  }
  return {};
}

Status Eval(EvalContext& context) {
  const Tensor& x = *context.input(0);
  const Dims target = context.input(1)->ToInt64s();
  Dims dims = x.dims();
  if (target.size() > dims.size()) dims.insert(dims.begin(), target.size() - dims.size(), 1);
  for (size_t back = 1; back <= target.size(); ++back) {
    int64_t& have = dims[dims.size() - back];
    const int64_t want = target[target.size() - back];
    if (want < 0 || (have != want && have != 1 && want != 1)) {
      return context.Error(fmt::format("{} does not broadcast to {}", ToString(x.dims()), ToString(target)));
    }
    if (have == 1) have = want;
  }
  TAMIS_RETURN_IF_ERROR(CheckSize(context, dims));
  Tensor y(x.dtype(), dims);
  BroadcastWalk walk(dims, {x.dims()});
  CopyElements(x, &y, [&](int64_t) {
    const int64_t source = walk.offsets()[0];
    walk.Next();
    return source;
  });
  context.outputs[0] = std::move(y);
  return {};
}

}  // namespace

extern const OpDef op_expand = {.name = "Expand", .since_opset = 8, .infer = Infer, .eval = Eval, .widen_half = false};

}  // namespace tamis
