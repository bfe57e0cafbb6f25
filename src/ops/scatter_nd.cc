#include <cstring>
#include <string>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"
#include "src/ops/op_scatter.h"

namespace tamis {
namespace {

// Inputs: data, indices, updates; the last axis of the indices addresses data.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 3, 3));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 1, kIntegers));
  TAMIS_RETURN_IF_ERROR(CheckSameDType(context, 0, 2));
  TAMIS_RETURN_IF_ERROR(CheckReduction(context));
  context.SetOutput(0, *context.InputType(0));
  const Shape* data = context.InputShape(0);
  const Shape* indices = context.InputShape(1);
  const Shape* updates = context.InputShape(2);
  if (data == nullptr || indices == nullptr || updates == nullptr) return {};
  const auto describe = [&] {
    return fmt::format("indices {} and updates {} do not fit data {}", ToString(*indices), ToString(*updates),
                       ToString(*data));
  };
  if (indices->empty()) return context.Error(describe());
  const auto depth = indices->back().Constant();
  if (!depth) return {};
  if (*depth < 0 || *depth > static_cast<int64_t>(data->size())) return context.Error(describe());
  Shape wanted(indices->begin(), indices->end() - 1);
  wanted.insert(wanted.end(), data->begin() + *depth, data->end());
  if (wanted.size() != updates->size()) return context.Error(describe());
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].IsConstant() && (*updates)[i].IsConstant() && !(wanted[i] == (*updates)[i]))
      return context.Error(describe());
  }
  return {};
}

Status Eval(EvalContext& context) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  const Tensor& data = *context.input(0);
  if (data.NumBytes() > 0) std::memcpy(context.outputs[0].raw(), data.raw(), data.NumBytes());
  if (context.input(2)->NumElements() == 0) return {};
  const Dims& dims = context.input(1)->dims();
  const auto depth = static_cast<size_t>(dims.back());
  const auto strides = RowMajorStrides(data.dims());
  const auto indices = context.input(1)->ToInt64s();
  std::vector<int64_t> targets(static_cast<size_t>(CountOf(dims, 0, dims.size() - 1)), 0);
  for (size_t i = 0; i < targets.size(); ++i) {
    for (size_t d = 0; d < depth; ++d) {
      const int64_t size = data.dims()[d];
      const int64_t index = indices[i * depth + d];
      if (index < -size || index >= size)
        return context.Error(fmt::format("index {} is outside [{}, {})", index, -size, size));
      targets[i] += (index < 0 ? index + size : index) * strides[d];
    }
  }
  Scatter(context, *context.input(2), targets, CountOf(data.dims(), depth, data.dims().size()));
  return {};
}

std::vector<OpTestCase> Cases() {
  const std::string add = "add";
  return {{{SampleFloats(1, {4, 3}), SampleInts(2, {2, 1}, -4, 3), SampleFloats(3, {2, 3})}, {{"reduction", add}}}};
}

}  // namespace

extern const OpDef op_scatter_nd = {.name = "ScatterND",
                                    .domain = "",
                                    .since_opset = 11,
                                    .infer = Infer,
                                    .eval = EvalMoved<Eval>,
                                    .test_cases = Cases,
                                    .widen_half = false};

}  // namespace tamis
