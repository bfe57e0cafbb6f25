#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

// How many elements are not zero depends on the values.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kNumbers | kBools));
  const Shape* shape = context.InputShape(0);
  if (shape == nullptr) {
    context.SetOutputDType(0, DType::kInt64);
    return {};
  }
  return SetShape(context, 0, DType::kInt64, {Dim(static_cast<int64_t>(shape->size())), context.DataDim(0, 1)});
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(BindInputs(context).status());
  const Tensor& data = *context.input(0);
  const WideReader reader(data, data.dims());
  std::vector<int64_t> found;
  for (int64_t i = 0; i < data.NumElements(); ++i) {
    double value = 0;
    reader.Read<double>(i, std::span(&value, 1));
    if (value != 0) found.push_back(i);
  }
  const auto count = static_cast<int64_t>(found.size());
  TAMIS_ASSIGN_OR_RETURN(context.outputs[0], Allocate(context, DType::kInt64, {data.rank(), count}));
  const auto strides = RowMajorStrides(data.dims());
  int64_t* to = context.outputs[0].Data<int64_t>();
  for (size_t axis = 0; axis < strides.size(); ++axis) {
    for (int64_t i : found) *to++ = i / strides[axis] % data.dims()[axis];
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleInts(1, {3, 4}, 0, 1)}, {}}};
}

}  // namespace

extern const OpDef op_non_zero = {
    .name = "NonZero", .domain = "", .since_opset = 9, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
