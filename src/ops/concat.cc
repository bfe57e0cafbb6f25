// Concat along one axis.
#include "src/ops/op_data.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  context.SetOutputDType(0, context.InputDType(0));
  Shape joined;
  bool contents_known = true;
  std::vector<Dim> contents;
  for (size_t i = 0; i < context.NumInputs(); ++i) {
    const Shape* shape = context.InputShape(i);
    if (shape == nullptr) return {};
    if (i == 0) {
      joined = *shape;
    }
    const auto axis = ResolveAxis(context.node().Int("axis", 0), shape->size());
    if (!axis || shape->size() != joined.size()) return context.Error("ranks differ, or the axis is out of range");
    if (context.InputDType(i) != context.InputDType(0)) return context.Error("the inputs have different element types");
    for (size_t d = 0; d < shape->size() && i > 0; ++d) {
      if (d == *axis) {
        joined[d] = joined[d] + (*shape)[d];
      } else if (!MayEqual(joined[d], (*shape)[d])) {
        return context.Error(
            fmt::format("shapes {} and {} differ beside the axis", ToString(joined), ToString(*shape)));
      } else if ((*shape)[d].IsConstant()) {
        joined[d] = (*shape)[d];
      }
    }
    const auto part = context.InputContents(i);
    contents_known = contents_known && part && shape->size() == 1;
    if (contents_known) contents.insert(contents.end(), part->begin(), part->end());
  }
  context.SetOutput(0, context.InputDType(0), std::move(joined));
  if (contents_known) context.SetOutputContents(0, std::move(contents));
  return {};
}

Status Eval(EvalContext& context) {
  const Tensor& first = *context.input(0);
  const auto axis = ResolveAxis(context.node.Int("axis", 0), first.dims().size());
  if (!axis) return context.Error("the axis is out of range");
  Dims dims = first.dims();
  dims[*axis] = 0;
  for (const Tensor* input : context.inputs) {
    Dims other = input->dims();
    if (other.size() != dims.size() || input->dtype() != first.dtype()) return context.Error("the inputs do not match");
    const int64_t along = other[*axis];
    other[*axis] = dims[*axis];
    if (other != dims) return context.Error("the shapes differ beside the axis");
    dims[*axis] += along;
  }
  TAMIS_RETURN_IF_ERROR(CheckSize(context, dims));
  Tensor y(first.dtype(), dims);
  int64_t outer = 1;
  for (size_t d = 0; d < *axis; ++d) outer *= dims[d];
  std::byte* out = y.raw();
  for (int64_t o = 0; o < outer; ++o) {
    for (const Tensor* input : context.inputs) {
      const size_t run = input->NumBytes() / static_cast<size_t>(std::max<int64_t>(outer, 1));
      if (run > 0) std::memcpy(out, input->raw() + static_cast<size_t>(o) * run, run);
      out += run;
    }
  }
  context.outputs[0] = std::move(y);
  return {};
}

}  // namespace

extern const OpDef op_concat = {.name = "Concat", .since_opset = 4, .infer = Infer, .eval = Eval, .widen_half = false};

}  // namespace tamis
