// Pad: constant, reflect and edge; pads are an attribute before opset 11, an input since.
#include "src/ops/op_data.h"

namespace tamis {
namespace {

// Pads of every axis: begins then ends. `axes` (opset 18) may name only some of them.
Result<std::vector<int64_t>> PadsOf(const std::vector<int64_t>& given, const std::optional<std::vector<int64_t>>& axes,
                                    size_t rank) {
  std::vector<int64_t> pads(2 * rank, 0);
  if (!axes) {
    if (given.size() != 2 * rank) return UserError("{} pads for rank {}", given.size(), rank);
    return given;
  }
  if (given.size() != 2 * axes->size()) return UserError("{} pads for {} axes", given.size(), axes->size());
  for (size_t i = 0; i < axes->size(); ++i) {
    const auto axis = ResolveAxis((*axes)[i], rank);
    if (!axis) return UserError("axis {} is out of range for rank {}", (*axes)[i], rank);
    pads[*axis] = given[i];
    pads[rank + *axis] = given[axes->size() + i];
  }
  return pads;
}

Status Infer(InferContext& context) {
  const Shape* x = context.InputShape(0);
  context.SetOutputDType(0, context.InputDType(0));
  if (x == nullptr) return {};
  std::vector<int64_t> given = context.node().Ints("pads");
  if (context.HasInput(1)) {
    const auto contents = context.InputContents(1);
    if (!contents) return {};
    given.clear();
    for (const Dim& dim : *contents) {
      if (!dim.IsConstant()) return {};
      given.push_back(*dim.Constant());
    }
  }
  TAMIS_ASSIGN_OR_RETURN(const auto axes, AxesOf(context, 3));
  const auto pads = PadsOf(given, axes, x->size());
  if (!pads.ok()) return context.Error(pads.status().message());
  Shape shape;
  for (size_t i = 0; i < x->size(); ++i) {
    shape.push_back((*x)[i] + Dim((*pads)[i]) + Dim((*pads)[x->size() + i]));
    if (shape[i].Constant().value_or(0) < 0) return context.Error("the pads take more than there is");
  }
  context.SetOutput(0, context.InputDType(0), std::move(shape));
  return {};
}

// Where element `i` of a padded axis comes from; -1: from the pad value.
int64_t SourceOf(int64_t i, int64_t begin, int64_t size, const std::string& mode) {
  const int64_t at = i - begin;
  if (at >= 0 && at < size) return at;
  if (mode == "edge") return std::clamp<int64_t>(at, 0, size - 1);
  if (mode == "wrap") return (at % size + size) % size;
  if (mode == "reflect") {
    if (size == 1) return 0;
    const int64_t period = 2 * (size - 1);
    const int64_t phase = (at % period + period) % period;
    return phase < size ? phase : period - phase;
  }
  return -1;
}

Status Eval(EvalContext& context) {
  const Tensor& x = *context.input(0);
  const std::string mode = context.node.String("mode", "constant");
  if (mode != "constant" && mode != "edge" && mode != "reflect" && mode != "wrap") {
    return context.Error("mode '" + mode + "' is not supported; constant, edge, reflect and wrap are");
  }
  const size_t rank = x.dims().size();
  const auto pads =
      PadsOf(context.input(1) ? context.input(1)->ToInt64s() : context.node.Ints("pads"), AxesOf(context, 3), rank);
  if (!pads.ok()) return context.Error(pads.status().message());
  Tensor value(x.dtype(), {1});
  if (const Tensor* given = context.input(2)) {
    if (given->dtype() != x.dtype() || given->NumElements() != 1)
      return context.Error("the pad value must be one element");
    value = *given;
  } else if (context.node.Has("value") && x.dtype() == DType::kFloat32) {
    value.Data<float>()[0] = context.node.Float("value", 0);
  }
  Dims dims;
  for (size_t d = 0; d < rank; ++d) {
    dims.push_back(x.dims()[d] + (*pads)[d] + (*pads)[rank + d]);
    if (mode != "constant" && x.dims()[d] == 0) return context.Error("an empty axis has nothing to pad with");
  }
  TAMIS_RETURN_IF_ERROR(CheckSize(context, dims));
  const Dims strides = StridesOf(x.dims());
  const Dims out_strides = StridesOf(dims);
  Tensor y(x.dtype(), dims);
  const size_t size = ByteSize(x.dtype(), 1);
  for (int64_t i = 0, n = y.NumElements(); i < n; ++i) {
    int64_t source = 0;
    for (size_t d = 0; d < rank && source >= 0; ++d) {
      const int64_t at = SourceOf(i / out_strides[d] % dims[d], (*pads)[d], x.dims()[d], mode);
      source = at < 0 ? -1 : source + at * strides[d];
    }
    const std::byte* from = source < 0 ? value.raw() : x.raw() + static_cast<size_t>(source) * size;
    std::memcpy(y.raw() + static_cast<size_t>(i) * size, from, size);
  }
  context.outputs[0] = std::move(y);
  return {};
}

}  // namespace

extern const OpDef op_pad = {.name = "Pad", .since_opset = 2, .infer = Infer, .eval = Eval, .widen_half = false};

}  // namespace tamis
