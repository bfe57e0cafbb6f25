#include <cstring>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"

namespace tamis {
namespace {

// Inputs: indices, depth (one number), values [off, on]. An index outside [-depth, depth) gives only `off`.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 3, 3));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kNumbers));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 1, kNumbers));
  context.SetOutputDType(0, context.InputDType(2));
  if (const Shape* values = context.InputShape(2);
      values != nullptr && (values->size() != 1 || (*values)[0].Constant().value_or(2) != 2)) {
    return context.Error(fmt::format("values must be [off, on], has dimensions {}", ToString(*values)));
  }
  const Shape* indices = context.InputShape(0);
  auto depth = Contents(context, 1);
  if (const Tensor* constant = context.InputConstant(1);
      constant != nullptr && constant->NumElements() == 1 && !depth) {
    double value = 0;
    WideReader(*constant, constant->dims()).Read<double>(0, std::span(&value, 1));
    if (!(value >= 0 && value <= static_cast<double>(kMaxElements)))
      return context.Error(fmt::format("a depth of {} is not possible", value));
    depth.emplace({Dim(static_cast<int64_t>(value))});
  }
  if (indices == nullptr) return {};
  const auto rank = static_cast<int64_t>(indices->size());
  TAMIS_ASSIGN_OR_RETURN(const int64_t axis, ResolvedAxis(context, context.node().Int("axis", -1), rank + 1));
  Shape result = *indices;
  const bool known = depth && depth->size() == 1;
  result.insert(result.begin() + axis, known ? (*depth)[0] : context.DataDim(0, static_cast<size_t>(axis)));
  return SetShape(context, 0, context.InputDType(2), std::move(result));
}

Status Eval(EvalContext& context) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  Tensor& output = context.outputs[0];
  const Tensor& indices = *context.input(0);
  const Tensor& values = *context.input(2);
  const int64_t axis = context.node.Int("axis", -1);
  const auto at = static_cast<size_t>(axis < 0 ? axis + output.rank() : axis);
  const int64_t depth = output.dims()[at];
  const int64_t inner = CountOf(output.dims(), at + 1, output.dims().size());
  const size_t element = ElementBytes(output);
  const WideReader reader(indices, indices.dims());
  for (int64_t i = 0; i < output.NumElements(); ++i) {
    double index = 0;
    reader.Read<double>(i / (depth * inner) * inner + i % inner, std::span(&index, 1));
    const auto position = static_cast<double>(i / inner % depth);
    const bool on = position == index || position == index + static_cast<double>(depth);
    std::memcpy(output.raw() + static_cast<size_t>(i) * element, values.raw() + (on ? element : 0), element);
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  const int64_t depth = 4;
  const Tensor scalar = Tensor::Of<int64_t>(DType::kInt64, {}, std::span(&depth, 1));
  return {{{SampleInts(1, {2, 3}, -5, 5), scalar, SampleFloats(2, {2})}, {}},
          {{SampleInts(3, {2, 3}, 0, 3), scalar, SampleFloats(4, {2})}, {{"axis", int64_t{1}}}}};
}

}  // namespace

extern const OpDef op_one_hot = {.name = "OneHot",
                                 .domain = "",
                                 .since_opset = 9,
                                 .infer = Infer,
                                 .eval = EvalMoved<Eval>,
                                 .test_cases = Cases,
                                 .widen_half = false};

}  // namespace tamis
