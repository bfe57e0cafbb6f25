#include "src/ops/op_data.h"
#include "src/ops/op_packed.h"
#include "src/ops/op_types.h"

namespace tamis {
namespace {

// Input: a shape; attribute value: one element, f32 zero without it.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  const Tensor* value = context.node().TensorAttribute("value");
  if (value != nullptr && value->NumElements() != 1) return context.Error("the attribute value must hold one element");
  const DType dtype = value != nullptr ? value->dtype() : DType::kFloat32;
  if (dtype == DType::kString) return context.Error("the attribute value must be a number or bool, is a string");
  TAMIS_ASSIGN_OR_RETURN(const IntList shape, ReadInts(context, 0, ""));
  if (!shape.known) {
    context.SetOutputDType(0, dtype);
    if (const auto rank = ListLength(context, 0)) return SetShape(context, 0, dtype, DataShape(context, 0, *rank));
    return {};
  }
  if (value != nullptr && IsInteger(dtype) && BitSize(dtype) >= 8 && shape.values.size() <= 1) {
    const auto count = shape.values.empty() ? 1 : shape.values[0].Constant().value_or(-1);
    if (count >= 0 && count <= 64)
      SetTracked(context, 0, std::vector<Dim>(static_cast<size_t>(count), Dim(value->ToInt64s()[0])));
  }
  return SetShape(context, 0, dtype, shape.values);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(BindAny(context).status());
  const Tensor* value = context.node.TensorAttribute("value");
  Tensor& output = context.outputs[0];
  if (value != nullptr && IsPacked(value->dtype())) {
    const int bits = BitSize(value->dtype());
    const uint8_t code = GetPacked(value->Data<uint8_t>(), 0, bits);
    for (int64_t i = 0; i < output.NumElements(); ++i) SetPacked(output.Data<uint8_t>(), i, bits, code);
    return {};
  }
  if (value != nullptr) {
    CopyStrided(value->raw(), 0, output.dims(), std::vector<int64_t>(output.dims().size(), 0), ElementBytes(output),
                output.raw());
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  const Tensor shape = Tensor::Int64s(std::vector<int64_t>{2, 3});
  return {{{shape}, {}}, {{shape}, {{"value", Tensor::Int64s(std::vector<int64_t>{7})}}}};
}

}  // namespace

extern const OpDef op_constant_of_shape = {.name = "ConstantOfShape",
                                           .domain = "",
                                           .since_opset = 9,
                                           .infer = Infer,
                                           .eval = Eval,
                                           .test_cases = Cases,
                                           .widen_half = false};

}  // namespace tamis
