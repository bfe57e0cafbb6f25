#include <algorithm>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

// Ones on diagonal k of a matrix with the input's dimensions; attribute dtype overrides the input's.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kNumbers | kBools));
  const auto dtype =
      static_cast<DType>(context.node().Int("dtype", static_cast<int64_t>(context.InputDType(0))) & 0xff);
  const Shape* shape = context.InputShape(0);
  if (shape != nullptr && shape->size() != 2)
    return context.Error(fmt::format("needs a matrix, has {}", ToString(*shape)));
  const bool usable =
      dtype == DType::kBool || (BitSize(dtype) >= 8 && IsInteger(dtype)) || (BitSize(dtype) >= 16 && IsFloat(dtype));
  if (dtype != DType::kUndefined && !usable)
    return context.Error(fmt::format("a result of type {} is not supported", Name(dtype)));
  if (shape != nullptr) return SetShape(context, 0, dtype, *shape);
  context.SetOutputDType(0, dtype);
  return {};
}

Status Eval(EvalContext& context) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  Tensor& output = context.outputs[0];
  const int64_t rows = output.dim(0);
  const int64_t columns = output.dim(1);
  const int64_t k = std::clamp(context.node.Int("k", 0), -kMaxElements, kMaxElements);
  const uint64_t one = 1;
  for (int64_t row = std::max<int64_t>(0, -k); row < rows && row + k < columns; ++row) {
    WriteWide<uint64_t>(output, row * columns + row + k, std::span(&one, 1));
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{Tensor(DType::kFloat32, {3, 4})}, {}},
          {{Tensor(DType::kFloat32, {3, 4})}, {{"k", int64_t{-1}}, {"dtype", int64_t{7}}}}};
}

}  // namespace

extern const OpDef op_eye_like = {.name = "EyeLike",
                                  .domain = "",
                                  .since_opset = 9,
                                  .infer = Infer,
                                  .eval = Eval,
                                  .test_cases = Cases,
                                  .widen_half = false};

}  // namespace tamis
