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
  if (data == nullptr || indices == nullptr) {
    context.SetOutputDType(0, context.InputDType(0));
    return {};
  }
  TAMIS_ASSIGN_OR_RETURN(const int64_t axis,
                         ResolvedAxis(context, context.node().Int("axis", 0), static_cast<int64_t>(data->size())));
  Shape result(data->begin(), data->begin() + axis);
  result.insert(result.end(), indices->begin(), indices->end());
  result.insert(result.end(), data->begin() + axis + 1, data->end());
  const auto contents = Contents(context, 0);
  const auto chosen = Contents(context, 1);
  if (contents && chosen && data->size() == 1) {
    const auto size = static_cast<int64_t>(contents->size());
    std::vector<Dim> picked;
    for (const Dim& index : *chosen) {
      const auto i = index.Constant();
      if (!i) break;
      if (*i < -size || *i >= size) return context.Error(fmt::format("index {} is outside of {} elements", *i, size));
      picked.push_back((*contents)[static_cast<size_t>(*i < 0 ? *i + size : *i)]);
    }
    if (picked.size() == chosen->size()) SetTracked(context, 0, std::move(picked));
  }
  return SetShape(context, 0, context.InputDType(0), std::move(result));
}

Status Eval(EvalContext& context) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  const Tensor& data = *context.input(0);
  const int64_t axis = context.node.Int("axis", 0);
  const auto at = static_cast<size_t>(axis < 0 ? axis + data.rank() : axis);
  const int64_t size = data.dims()[at];
  TAMIS_ASSIGN_OR_RETURN(const auto indices, ReadIndices(context, *context.input(1), size));
  const int64_t outer = CountOf(data.dims(), 0, at);
  const auto bytes = static_cast<size_t>(CountOf(data.dims(), at + 1, data.dims().size())) * ElementBytes(data);
  if (context.outputs[0].NumElements() == 0) return {};
  std::byte* to = context.outputs[0].raw();
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t index : indices) {
      std::memcpy(to, data.raw() + static_cast<size_t>(o * size + index) * bytes, bytes);
      to += bytes;
    }
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {5, 3}), SampleInts(2, {2, 2}, -5, 4)}, {}},
          {{SampleFloats(3, {2, 4}), SampleInts(4, {}, 0, 3)}, {{"axis", int64_t{-1}}}}};
}

}  // namespace

extern const OpDef op_gather = {.name = "Gather",
                                .domain = "",
                                .since_opset = 1,
                                .infer = Infer,
                                .eval = EvalMoved<Eval>,
                                .test_cases = Cases,
                                .widen_half = false};

}  // namespace tamis
