// Gather along one axis; negative indices count from the end.
#include "src/ops/op_data.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  const Shape* x = context.InputShape(0);
  const Shape* indices = context.InputShape(1);
  context.SetOutputDType(0, context.InputDType(0));
  const DType index_type = context.InputDType(1);
  if (index_type != DType::kUndefined && index_type != DType::kInt64 && index_type != DType::kInt32) {
    return context.Error(fmt::format("the indices are {}; they must be int32 or int64", Name(index_type)));
  }
  if (x == nullptr || indices == nullptr) return {};
  const auto axis = ResolveAxis(context.node().Int("axis", 0), x->size());
  if (!axis) return context.Error(fmt::format("the axis is out of range for rank {}", x->size()));
  Shape shape(x->begin(), x->begin() + static_cast<std::ptrdiff_t>(*axis));
  shape.insert(shape.end(), indices->begin(), indices->end());
  shape.insert(shape.end(), x->begin() + static_cast<std::ptrdiff_t>(*axis) + 1, x->end());
  context.SetOutput(0, context.InputDType(0), std::move(shape));
  const auto contents = context.InputContents(0);
  const auto picks = context.InputContents(1);
  if (!contents || !picks || x->size() != 1) return {};
  std::vector<Dim> picked;
  for (const Dim& pick : *picks) {
    if (!pick.IsConstant()) return {};
    const auto index = ResolveAxis(*pick.Constant(), contents->size());
    if (!index)
      return context.Error(fmt::format("index {} is out of range for {}", *pick.Constant(), contents->size()));
    picked.push_back((*contents)[*index]);
  }
  context.SetOutputContents(0, std::move(picked));
  return {};
}

Status Eval(EvalContext& context) {
  const Tensor& x = *context.input(0);
  const Tensor& indices = *context.input(1);
  const auto axis = ResolveAxis(context.node.Int("axis", 0), x.dims().size());
  if (!axis) return context.Error("the axis is out of range");
  const int64_t size = x.dims()[*axis];
  std::vector<int64_t> picks = indices.ToInt64s();
  for (int64_t& pick : picks) {
    if (pick < -size || pick >= size) return context.Error(fmt::format("index {} is out of range for {}", pick, size));
    if (pick < 0) pick += size;
  }
  Dims dims(x.dims().begin(), x.dims().begin() + static_cast<std::ptrdiff_t>(*axis));
  dims.insert(dims.end(), indices.dims().begin(), indices.dims().end());
  dims.insert(dims.end(), x.dims().begin() + static_cast<std::ptrdiff_t>(*axis) + 1, x.dims().end());
  TAMIS_RETURN_IF_ERROR(CheckSize(context, dims));
  Tensor y(x.dtype(), dims);
  int64_t outer = 1;
  for (size_t d = 0; d < *axis; ++d) outer *= x.dims()[d];
  const size_t row = static_cast<size_t>(StridesOf(x.dims())[*axis]) * ByteSize(x.dtype(), 1);
  std::byte* out = y.raw();
  for (int64_t o = 0; o < outer && row > 0; ++o) {
    for (const int64_t pick : picks) {
      std::memcpy(out, x.raw() + static_cast<size_t>(o * size + pick) * row, row);
      out += row;
    }
  }
  context.outputs[0] = std::move(y);
  return {};
}

}  // namespace

extern const OpDef op_gather = {.name = "Gather", .since_opset = 1, .infer = Infer, .eval = Eval, .widen_half = false};

}  // namespace tamis
