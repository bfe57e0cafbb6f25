#include "src/ops/op_data.h"
#include "src/ops/op_packed.h"

namespace tamis {
namespace {

// The sizes along the axis: given as attribute (before opset 13) or input, or equal parts of which the last may be
// smaller (num_outputs, opset 18). nullopt if they are computed at run time.
Result<std::optional<std::vector<Dim>>> PartSizes(const InferContext& context, const Dim& size) {
  TAMIS_ASSIGN_OR_RETURN(const IntList split, ReadInts(context, 1, "split"));
  const auto parts = static_cast<int64_t>(context.NumOutputs());
  if (context.node().Int("num_outputs", parts) != parts) {
    return context.Error(
        fmt::format("num_outputs is {}, but the node has {} outputs", context.node().Int("num_outputs", 0), parts));
  }
  if (!split.given) {
    const Dim part = Dim::CeilDiv(size, Dim(parts));
    std::vector<Dim> sizes(static_cast<size_t>(parts - 1), part);
    sizes.push_back(Dim::Mod(size, Dim(parts)) == Dim(0) ? part : size - Dim(parts - 1) * part);
    if (sizes.back().Constant().value_or(0) < 0 ||
        (context.opset() < 18 && !(sizes.back() == part) && size.IsConstant())) {
      return context.Error(fmt::format("{} elements do not split into {} parts", size.ToString(), parts));
    }
    return std::optional(std::move(sizes));
  }
  if (!split.known) return std::optional<std::vector<Dim>>();
  Dim sum;
  for (const Dim& part : split.values) {
    if (part.Constant().value_or(0) < 0)
      return context.Error(fmt::format("split {} has a negative size", ToString(split.values)));
    sum = sum + part;
  }
  if (static_cast<int64_t>(split.values.size()) != parts || (sum.IsConstant() && size.IsConstant() && !(sum == size))) {
    return context.Error(fmt::format("split {} does not divide {} elements over {} outputs", ToString(split.values),
                                     size.ToString(), parts));
  }
  return std::optional(split.values);
}

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 2));
  if (context.NumOutputs() == 0) return context.Error("has no outputs");
  const Shape* shape = context.InputShape(0);
  if (shape == nullptr) {
    for (size_t i = 0; i < context.NumOutputs(); ++i) context.SetOutputDType(i, context.InputDType(0));
    return {};
  }
  TAMIS_ASSIGN_OR_RETURN(const int64_t axis,
                         ResolvedAxis(context, context.node().Int("axis", 0), static_cast<int64_t>(shape->size())));
  TAMIS_ASSIGN_OR_RETURN(const auto sizes, PartSizes(context, (*shape)[static_cast<size_t>(axis)]));
  const auto contents = Contents(context, 0);
  int64_t first = 0;
  for (size_t i = 0; i < context.NumOutputs(); ++i) {
    Shape part = *shape;
    if (!sizes) {
      part[static_cast<size_t>(axis)] = context.DataDim(i, static_cast<size_t>(axis));
      TAMIS_RETURN_IF_ERROR(SetShape(context, i, context.InputDType(0), std::move(part)));
      continue;
    }
    part[static_cast<size_t>(axis)] = (*sizes)[i];
    if (contents && ConstantDims(*sizes)) {
      const int64_t end = first + *(*sizes)[i].Constant();
      if (end <= static_cast<int64_t>(contents->size()))
        SetTracked(context, i, {contents->begin() + first, contents->begin() + end});
      first = end;
    }
    TAMIS_RETURN_IF_ERROR(SetShape(context, i, context.InputDType(0), std::move(part)));
  }
  return {};
}

Status Eval(EvalContext& context) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  const Tensor& data = *context.input(0);
  const int64_t axis = context.node.Int("axis", 0);
  const auto at = static_cast<size_t>(axis < 0 ? axis + data.rank() : axis);
  const auto strides = RowMajorStrides(data.dims());
  int64_t first = 0;
  for (Tensor& output : context.outputs) {
    CopyStrided(data.raw(), first * strides[at], output.dims(), strides, ElementBytes(data), output.raw());
    first += output.dims()[at];
  }
  return {};
}

// A case has one output; the tests of several are written out.
std::vector<OpTestCase> Cases() {
  return {{{Tensor(DType::kFloat32, {4, 3})}, {}}};
}

}  // namespace

extern const OpDef op_split = {.name = "Split",
                               .domain = "",
                               .since_opset = 2,
                               .infer = Infer,
                               .eval = EvalMoved<Eval>,
                               .test_cases = Cases,
                               .widen_half = false};

}  // namespace tamis
