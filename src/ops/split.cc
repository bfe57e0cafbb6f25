// Split: sizes are an attribute before opset 13, an input since; equal parts otherwise.
#include "src/ops/op_data.h"

namespace tamis {
namespace {

// Sizes of `parts` parts of a dimension as equal as ONNX makes them: all the same, the last one smaller if need be.
std::vector<Dim> EqualParts(const Dim& size, size_t parts) {
  std::vector<Dim> sizes;
  const auto count = static_cast<int64_t>(parts);
  const Dim step = Dim::CeilDiv(size, Dim(count));
  for (size_t i = 0; i + 1 < parts; ++i) sizes.push_back(step);
  sizes.push_back(size - step * Dim(count - 1));
  return sizes;
}

Status Infer(InferContext& context) {
  const Shape* x = context.InputShape(0);
  for (size_t i = 0; i < context.NumOutputs(); ++i) context.SetOutputDType(i, context.InputDType(0));
  if (x == nullptr) return {};
  const auto axis = ResolveAxis(context.node().Int("axis", 0), x->size());
  if (!axis) return context.Error("the axis is out of range");
  std::vector<Dim> sizes = EqualParts((*x)[*axis], context.NumOutputs());
  if (context.HasInput(1)) {
    const auto given = context.InputContents(1);
    if (!given) return {};
    sizes = *given;
  } else if (context.node().Has("split")) {
    sizes = ToShape(context.node().Ints("split"));
  }
  if (sizes.size() != context.NumOutputs()) {
    return context.Error(fmt::format("{} sizes for {} outputs", sizes.size(), context.NumOutputs()));
  }
  Dim total(0);
  for (const Dim& size : sizes) total = total + size;
  if (!MayEqual(total, (*x)[*axis])) {
    return context.Error(
        fmt::format("the parts add up to {}, the dimension is {}", total.ToString(), (*x)[*axis].ToString()));
  }
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i].Constant().value_or(0) < 0) return context.Error("a part has a negative size");
    Shape shape = *x;
    shape[*axis] = sizes[i];
    context.SetOutput(i, context.InputDType(0), std::move(shape));
  }
  return {};
}

Status Eval(EvalContext& context) {
  const Tensor& x = *context.input(0);
  const auto axis = ResolveAxis(context.node.Int("axis", 0), x.dims().size());
  if (!axis) return context.Error("the axis is out of range");
  std::vector<int64_t> sizes;
  for (const Dim& size : EqualParts(Dim(x.dims()[*axis]), context.outputs.size())) sizes.push_back(*size.Constant());
  if (context.input(1) != nullptr) sizes = context.input(1)->ToInt64s();
  if (context.input(1) == nullptr && context.node.Has("split")) sizes = context.node.Ints("split");
  int64_t total = 0;
  for (const int64_t size : sizes) {
    if (size < 0 || size > x.dims()[*axis]) return context.Error("a part has an impossible size");
    total += size;
  }
  if (sizes.size() != context.outputs.size() || total != x.dims()[*axis])
    return context.Error("the sizes do not add up");
  const Dims strides = StridesOf(x.dims());
  const auto row = static_cast<size_t>(strides[*axis]) * ByteSize(x.dtype(), 1);
  int64_t outer = 1;
  for (size_t d = 0; d < *axis; ++d) outer *= x.dims()[d];
  int64_t begin = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    Dims dims = x.dims();
    dims[*axis] = sizes[i];
    Tensor y(x.dtype(), dims);
    const size_t run = static_cast<size_t>(sizes[i]) * row;
    for (int64_t o = 0; o < outer && run > 0; ++o) {
      std::memcpy(y.raw() + static_cast<size_t>(o) * run,
                  x.raw() + static_cast<size_t>(o * x.dims()[*axis] + begin) * row, run);
    }
    begin += sizes[i];
    context.outputs[i] = std::move(y);
  }
  return {};
}

}  // namespace

extern const OpDef op_split = {.name = "Split", .since_opset = 2, .infer = Infer, .eval = Eval, .widen_half = false};

}  // namespace tamis
