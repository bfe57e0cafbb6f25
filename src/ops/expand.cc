#include <algorithm>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"
#include "src/ops/op_types.h"

namespace tamis {
namespace {

// Broadcasts the data and the shape of input 1 against each other: a dimension of the result may be the data's.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 2, 2));
  const Shape* from = context.InputShape(0);
  TAMIS_ASSIGN_OR_RETURN(const IntList target, ReadInts(context, 1, ""));
  if (from == nullptr || !target.known) {
    context.SetOutputDType(0, context.InputDType(0));
    const auto length = ListLength(context, 1);
    if (from == nullptr || !length) return {};
    // Of the data's own dimensions, only what is longer than 1 is sure to stay.
    Shape shape = DataShape(context, 0, std::max(*length, from->size()));
    for (size_t back = 1; back <= from->size(); ++back) {
      const Dim& dim = (*from)[from->size() - back];
      if (dim.IsConstant() && !(dim == Dim(1))) shape[shape.size() - back] = dim;
    }
    return SetShape(context, 0, context.InputDType(0), std::move(shape));
  }
  for (const Dim& dim : target.values) {
    if (dim.Constant().value_or(0) < 0) {
      return context.Error(fmt::format("the shape {} has a negative dimension", ToString(target.values)));
    }
  }
  TAMIS_ASSIGN_OR_RETURN(Shape shape, BroadcastShapes(context, *from, target.values));
  const auto contents = Contents(context, 0);
  if (contents && contents->size() == 1 && shape.size() <= 1) {
    const auto count = shape.empty() ? 1 : shape[0].Constant().value_or(-1);
    if (count >= 0 && count <= 64) SetTracked(context, 0, std::vector<Dim>(static_cast<size_t>(count), (*contents)[0]));
  }
  return SetShape(context, 0, context.InputDType(0), std::move(shape));
}

Status Eval(EvalContext& context) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  const Tensor& data = *context.input(0);
  Tensor& output = context.outputs[0];
  CopyStrided(data.raw(), 0, output.dims(), BroadcastStrides(data.dims(), output.dims()), ElementBytes(data),
              output.raw());
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 1}), Tensor::Int64s(std::vector<int64_t>{2, 1, 4})}, {}}};
}

}  // namespace

extern const OpDef op_expand = {.name = "Expand",
                                .domain = "",
                                .since_opset = 8,
                                .infer = Infer,
                                .eval = EvalMoved<Eval>,
                                .test_cases = Cases,
                                .widen_half = false};

}  // namespace tamis
