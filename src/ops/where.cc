// Where: condition ? a : b, all three broadcast.
#include <cstring>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

// Shape computations pick between two lists of sizes by a condition that is often known.
void PickContents(InferContext& context) {
  const auto condition = context.InputContents(0);
  const Tensor* constant = context.InputConstant(0);
  const auto a = context.InputContents(1);
  const auto b = context.InputContents(2);
  if (!a || !b) return;
  std::vector<int64_t> flags;
  if (constant != nullptr && constant->NumElements() <= 64) {
    flags = constant->ToInt64s();
  } else if (condition) {
    for (const Dim& dim : *condition) {
      if (!dim.IsConstant()) return;
      flags.push_back(*dim.Constant());
    }
  } else {
    return;
  }
  const size_t n = std::max({flags.size(), a->size(), b->size()});
  for (size_t size : {flags.size(), a->size(), b->size()}) {
    if (size != n && size != 1) return;
  }
  std::vector<Dim> picked;
  for (size_t i = 0; i < n; ++i) {
    const auto at = [i](const auto& list) { return list[list.size() == 1 ? 0 : i]; };
    picked.push_back(at(flags) != 0 ? at(*a) : at(*b));
  }
  context.SetOutputContents(0, std::move(picked));
}

Status Infer(InferContext& context) {
  const DType dtype = context.InputDType(1) != DType::kUndefined ? context.InputDType(1) : context.InputDType(2);
  context.SetOutputDType(0, dtype);
  std::optional<Shape> joined = Shape{};
  for (size_t i = 0; i < 3; ++i) {
    const Shape* shape = context.InputShape(i);
    if (shape == nullptr) return {};
    joined = JoinShapes(*joined, *shape);
    if (!joined) return context.Error("the shapes do not broadcast");
  }
  context.SetOutput(0, dtype, std::move(*joined));
  PickContents(context);
  return {};
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Dims dims, BroadcastDims(context));
  if (context.inputs.size() != 3 || context.input(0)->dtype() != DType::kBool ||
      context.input(1)->dtype() != context.input(2)->dtype()) {
    return context.Error("it takes a bool condition and two operands of one element type");
  }
  TAMIS_RETURN_IF_ERROR(CheckSize(context, dims));
  Tensor y(context.input(1)->dtype(), dims);
  const size_t size = ByteSize(y.dtype(), 1);
  BroadcastWalk walk(dims, {context.input(0)->dims(), context.input(1)->dims(), context.input(2)->dims()});
  for (int64_t i = 0, n = y.NumElements(); i < n; ++i, walk.Next()) {
    const size_t side = context.input(0)->Data<bool>()[walk.offsets()[0]] ? 1 : 2;
    std::memcpy(y.raw() + static_cast<size_t>(i) * size,
                context.input(side)->raw() + static_cast<size_t>(walk.offsets()[side]) * size, size);
  }
  context.outputs[0] = std::move(y);
  return {};
}

}  // namespace

extern const OpDef op_where = {.name = "Where", .since_opset = 9, .infer = Infer, .eval = Eval, .widen_half = false};

}  // namespace tamis
