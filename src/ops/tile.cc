#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"
#include "src/ops/op_types.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 2, 2));
  const Shape* from = context.InputShape(0);
  TAMIS_ASSIGN_OR_RETURN(const IntList repeats, ReadInts(context, 1, ""));
  if (from == nullptr || !repeats.known) {
    context.SetOutputDType(0, context.InputDType(0));
    if (from == nullptr) return {};
    return SetShape(context, 0, context.InputDType(0), DataShape(context, 0, from->size()));
  }
  if (repeats.values.size() != from->size()) {
    return context.Error(fmt::format("{} repeats are given for {}", repeats.values.size(), ToString(*from)));
  }
  Shape shape;
  for (size_t i = 0; i < from->size(); ++i) {
    const auto count = repeats.values[i].Constant();
    if (count && (*count < 0 || *count > kMaxElements))
      return context.Error(fmt::format("{} repeats are not possible", *count));
    const auto dim = TrackedProduct({(*from)[i], repeats.values[i]});
    shape.push_back(dim.value_or(context.DataDim(0, i)));
  }
  return SetShape(context, 0, context.InputDType(0), std::move(shape));
}

// Each axis as two: the repeats, which do not move in the data, and the data's own.
Status Eval(EvalContext& context) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  const Tensor& data = *context.input(0);
  const auto own = RowMajorStrides(data.dims());
  const auto repeats = context.input(1)->ToInt64s();
  Dims dims;
  std::vector<int64_t> strides;
  for (size_t i = 0; i < own.size(); ++i) {
    dims.insert(dims.end(), {repeats[i], data.dims()[i]});
    strides.insert(strides.end(), {0, own[i]});
  }
  CopyStrided(data.raw(), 0, dims, strides, ElementBytes(data), context.outputs[0].raw());
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {2, 3}), Tensor::Int64s(std::vector<int64_t>{3, 2})}, {}}};
}

}  // namespace

extern const OpDef op_tile = {.name = "Tile",
                              .domain = "",
                              .since_opset = 6,
                              .infer = Infer,
                              .eval = EvalMoved<Eval>,
                              .test_cases = Cases,
                              .widen_half = false};

}  // namespace tamis
