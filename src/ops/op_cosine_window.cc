#include "src/ops/op_cosine_window.h"

#include <cmath>
#include <numbers>

#include "src/ops/op_doubles.h"

namespace tamis {

Status InferCosineWindow(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kIntegers));
  const int64_t dtype = context.node().Int("output_datatype", 1);
  const bool known = dtype > 0 && dtype <= 16 && dtype != static_cast<int64_t>(DType::kString) &&
                     dtype != static_cast<int64_t>(DType::kBool) && BitSize(static_cast<DType>(dtype)) >= 8;
  if (!known) return context.Error(fmt::format("output_datatype {} is not a number type", dtype));
  const auto size = Contents(context, 0);
  if (size && size->size() != 1) return context.Error("the size must be one number");
  return SetShape(context, 0, static_cast<DType>(dtype), {size ? (*size)[0] : context.DataDim(0, 0)});
}

Status EvalCosineWindow(EvalContext& context, double a0, double a1, double a2) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  const int64_t size = context.outputs[0].dim(0);
  const int64_t period = context.node.Int("periodic", 1) != 0 ? size : size - 1;
  std::vector<double> y;
  for (int64_t n = 0; n < size; ++n) {
    const double turn =
        2 * std::numbers::pi * static_cast<double>(n) / static_cast<double>(std::max<int64_t>(period, 1));
    y.push_back(size == 1 ? 1 : a0 - a1 * std::cos(turn) + a2 * std::cos(2 * turn));
  }
  WriteDoubles(context.outputs[0], y);
  return {};
}

std::vector<OpTestCase> CosineWindowCases() {
  const auto size = [](int64_t n) { return Tensor::Int64s(std::vector<int64_t>{n}).Reshaped({}); };
  return {{{size(10)}, {}}, {{size(7)}, {{"periodic", int64_t{0}}, {"output_datatype", int64_t{11}}}}};
}

}  // namespace tamis
