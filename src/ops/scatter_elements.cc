#include <cstring>
#include <string>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_scatter.h"

namespace tamis {
namespace {

// Inputs: data, indices, updates of the indices' dimensions.
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
  TAMIS_ASSIGN_OR_RETURN(const int64_t axis,
                         ResolvedAxis(context, context.node().Int("axis", 0), static_cast<int64_t>(data->size())));
  bool fits = data->size() == indices->size() && data->size() == updates->size();
  for (size_t d = 0; fits && d < data->size(); ++d) {
    const auto have = (*data)[d].Constant();
    const auto want = (*indices)[d].Constant();
    const auto update = (*updates)[d].Constant();
    fits =
        (static_cast<int64_t>(d) == axis || !have || !want || *want <= *have) && (!want || !update || *want == *update);
  }
  if (fits) return {};
  return context.Error(fmt::format("indices {} and updates {} do not fit data {}", ToString(*indices),
                                   ToString(*updates), ToString(*data)));
}

Status Eval(EvalContext& context) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  const Tensor& data = *context.input(0);
  const Dims& dims = context.input(1)->dims();
  const int64_t axis = context.node.Int("axis", 0);
  const auto at = static_cast<size_t>(axis < 0 ? axis + data.rank() : axis);
  TAMIS_ASSIGN_OR_RETURN(auto targets, ReadIndices(context, *context.input(1), data.dims()[at]));
  const auto strides = RowMajorStrides(data.dims());
  for (size_t i = 0; i < targets.size(); ++i) {
    auto rest = static_cast<int64_t>(i);
    int64_t to = targets[i] * strides[at];
    for (size_t d = dims.size(); d-- > 0; rest /= dims[d]) to += d == at ? 0 : rest % dims[d] * strides[d];
    targets[i] = to;
  }
  if (data.NumBytes() > 0) std::memcpy(context.outputs[0].raw(), data.raw(), data.NumBytes());
  Scatter(context, *context.input(2), targets, 1);
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {4, 3}), SampleInts(2, {2, 3}, -4, 3), SampleFloats(3, {2, 3})}, {}},
          {{SampleInts(4, {4, 3}, 0, 9), SampleInts(5, {4, 2}, 0, 2), SampleInts(6, {4, 2}, 0, 9)},
           {{"axis", int64_t{-1}}, {"reduction", std::string("max")}}}};
}

}  // namespace

extern const OpDef op_scatter_elements = {.name = "ScatterElements",
                                          .domain = "",
                                          .since_opset = 11,
                                          .infer = Infer,
                                          .eval = Eval,
                                          .test_cases = Cases,
                                          .widen_half = false};

}  // namespace tamis
