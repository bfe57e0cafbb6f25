#include <algorithm>
#include <cstring>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"

namespace tamis {
namespace {

// The last axis of the indices addresses data[batch..., i0, i1, ...]; the first batch_dims axes are common to both.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 2, 2));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 1, kIntegers));
  context.SetOutputDType(0, context.InputDType(0));
  const Shape* data = context.InputShape(0);
  const Shape* indices = context.InputShape(1);
  if (data == nullptr || indices == nullptr) return {};
  const auto describe = [&] {
    return fmt::format("indices {} do not address data {}", ToString(*indices), ToString(*data));
  };
  const int64_t batch = context.node().Int("batch_dims", 0);
  if (indices->empty()) return context.Error(describe());
  const auto depth = indices->back().Constant();
  if (!depth) return {};
  const auto rank = static_cast<int64_t>(data->size());
  if (batch < 0 || batch >= static_cast<int64_t>(indices->size()) || *depth < 0 || *depth > rank - batch) {
    return context.Error(describe() + fmt::format(" with batch_dims {}", batch));
  }
  for (int64_t i = 0; i < batch; ++i) {
    const Dim &a = (*data)[static_cast<size_t>(i)], &b = (*indices)[static_cast<size_t>(i)];
    if (a.IsConstant() && b.IsConstant() && !(a == b)) return context.Error(describe());
  }
  Shape result(indices->begin(), indices->end() - 1);
  result.insert(result.end(), data->begin() + batch + *depth, data->end());
  return SetShape(context, 0, context.InputDType(0), std::move(result));
}

Status Eval(EvalContext& context) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  const Tensor& data = *context.input(0);
  const Dims& dims = context.input(1)->dims();
  const auto batch = static_cast<size_t>(context.node.Int("batch_dims", 0));
  const auto depth = static_cast<size_t>(dims.back());
  const auto strides = RowMajorStrides(data.dims());
  const auto indices = context.input(1)->ToInt64s();
  const int64_t count = CountOf(dims, 0, dims.size() - 1);
  const int64_t per_batch = std::max<int64_t>(CountOf(dims, batch, dims.size() - 1), 1);
  const int64_t batch_stride = CountOf(data.dims(), batch, data.dims().size());
  const auto bytes = static_cast<size_t>(CountOf(data.dims(), batch + depth, data.dims().size())) * ElementBytes(data);
  if (bytes == 0) return {};
  for (int64_t i = 0; i < count; ++i) {
    int64_t from = i / per_batch * batch_stride;
    for (size_t d = 0; d < depth; ++d) {
      const int64_t size = data.dims()[batch + d];
      const int64_t index = indices[static_cast<size_t>(i) * depth + d];
      if (index < -size || index >= size)
        return context.Error(fmt::format("index {} is outside [{}, {})", index, -size, size));
      from += (index < 0 ? index + size : index) * strides[batch + d];
    }
    std::memcpy(context.outputs[0].raw() + static_cast<size_t>(i) * bytes,
                data.raw() + static_cast<size_t>(from) * ElementBytes(data), bytes);
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {2, 3, 4}), SampleInts(2, {2, 5, 2}, -2, 1)}, {}},
          {{SampleFloats(3, {2, 3, 4}), SampleInts(4, {2, 1}, -3, 2)}, {{"batch_dims", int64_t{1}}}}};
}

}  // namespace

extern const OpDef op_gather_nd = {.name = "GatherND",
                                   .domain = "",
                                   .since_opset = 11,
                                   .infer = Infer,
                                   .eval = EvalMoved<Eval>,
                                   .test_cases = Cases,
                                   .widen_half = false};

}  // namespace tamis
