#include <cstring>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 2, 2));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 1, kIntegers));
  const Shape* data = context.InputShape(0);
  const Shape* indices = context.InputShape(1);
  if (indices == nullptr) {
    context.SetOutputDType(0, context.InputDType(0));
    return {};
  }
  TAMIS_ASSIGN_OR_RETURN(const int64_t axis,
                         ResolvedAxis(context, context.node().Int("axis", 0), static_cast<int64_t>(indices->size())));
  if (data != nullptr) {
    bool fits = data->size() == indices->size();
    for (size_t d = 0; fits && d < data->size(); ++d) {
      const auto have = (*data)[d].Constant();
      const auto want = (*indices)[d].Constant();
      fits = static_cast<int64_t>(d) == axis || !have || !want || *want <= *have;
    }
    if (!fits)
      return context.Error(
          fmt::format("indices {} do not fit data {} along axis {}", ToString(*indices), ToString(*data), axis));
  }
  return SetShape(context, 0, context.InputDType(0), *indices);
}

Status Eval(EvalContext& context) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  const Tensor& data = *context.input(0);
  const Dims& dims = context.outputs[0].dims();
  const int64_t axis = context.node.Int("axis", 0);
  const auto at = static_cast<size_t>(axis < 0 ? axis + data.rank() : axis);
  TAMIS_ASSIGN_OR_RETURN(const auto indices, ReadIndices(context, *context.input(1), data.dims()[at]));
  const auto strides = RowMajorStrides(data.dims());
  const size_t element = ElementBytes(data);
  for (size_t i = 0; i < indices.size(); ++i) {
    auto rest = static_cast<int64_t>(i);
    int64_t from = 0;
    for (size_t d = dims.size(); d-- > 0; rest /= dims[d]) from += (d == at ? indices[i] : rest % dims[d]) * strides[d];
    std::memcpy(context.outputs[0].raw() + i * element, data.raw() + static_cast<size_t>(from) * element, element);
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {4, 3}), SampleInts(2, {2, 3}, -4, 3)}, {}},
          {{SampleFloats(3, {4, 3}), SampleInts(4, {3, 5}, 0, 2)}, {{"axis", int64_t{1}}}}};
}

}  // namespace

extern const OpDef op_gather_elements = {.name = "GatherElements",
                                         .domain = "",
                                         .since_opset = 11,
                                         .infer = Infer,
                                         .eval = EvalMoved<Eval>,
                                         .test_cases = Cases,
                                         .widen_half = false};

}  // namespace tamis
