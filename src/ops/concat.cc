#include <algorithm>
#include <cstring>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, std::max<size_t>(context.NumInputs(), 1)));
  if (!context.node().Has("axis")) return context.Error("the attribute axis is missing");
  std::optional<Shape> result;
  std::vector<Dim> contents;
  bool ranked = true;
  bool tracked = true;
  for (size_t i = 0; i < context.NumInputs(); ++i) {
    TAMIS_RETURN_IF_ERROR(CheckSameDType(context, 0, i));
    const Shape* shape = context.InputShape(i);
    const auto elements = Contents(context, i);
    tracked = tracked && elements;
    if (tracked) contents.insert(contents.end(), elements->begin(), elements->end());
    if (shape == nullptr) {
      ranked = false;
      continue;
    }
    TAMIS_ASSIGN_OR_RETURN(const int64_t axis,
                           ResolvedAxis(context, context.node().Int("axis", 0), static_cast<int64_t>(shape->size())));
    if (!result) {
      result = *shape;
      continue;
    }
    const auto mismatch = [&] {
      return context.Error(
          fmt::format("{} and {} do not fit together along axis {}", ToString(*result), ToString(*shape), axis));
    };
    if (shape->size() != result->size()) return mismatch();
    for (size_t d = 0; d < shape->size(); ++d) {
      Dim& dim = (*result)[d];
      const Dim& other = (*shape)[d];
      if (static_cast<int64_t>(d) == axis) {
        dim = dim + other;
      } else if (dim.IsConstant() && other.IsConstant() && !(dim == other)) {
        return mismatch();
      } else if (other.IsConstant()) {
        dim = other;
      }
    }
  }
  if (!ranked || !result) {
    context.SetOutputDType(0, context.InputDType(0));
    return {};
  }
  if (tracked) SetTracked(context, 0, std::move(contents));
  return SetShape(context, 0, context.InputDType(0), std::move(*result));
}

Status Eval(EvalContext& context) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  Tensor& output = context.outputs[0];
  if (output.NumElements() == 0) return {};
  const int64_t axis = context.node.Int("axis", 0);
  const auto at = static_cast<size_t>(axis < 0 ? axis + output.rank() : axis);
  const auto outer = CountOf(output.dims(), 0, at);
  std::byte* to = output.raw();
  for (int64_t o = 0; o < outer; ++o) {
    for (const Tensor* input : context.inputs) {
      const auto bytes = static_cast<size_t>(CountOf(input->dims(), at, input->dims().size())) * ElementBytes(*input);
      if (bytes == 0) continue;
      std::memcpy(to, input->raw() + static_cast<size_t>(o) * bytes, bytes);
      to += bytes;
    }
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {2, 3}), SampleFloats(2, {2, 1}), SampleFloats(3, {2, 0})}, {{"axis", int64_t{-1}}}}};
}

}  // namespace

extern const OpDef op_concat = {.name = "Concat",
                                .domain = "",
                                .since_opset = 4,
                                .infer = Infer,
                                .eval = EvalMoved<Eval>,
                                .test_cases = Cases,
                                .widen_half = false};

}  // namespace tamis
