#include "src/ops/op_scatter.h"

#include <cstring>
#include <functional>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"

namespace tamis {

Status CheckReduction(const InferContext& context) {
  const std::string reduction = context.node().String("reduction", "none");
  for (const char* known : {"none", "add", "mul", "max", "min"}) {
    if (reduction == known) return reduction == "none" ? Status() : CheckDType(context, 0, kNumbers);
  }
  return context.Error(fmt::format("reduction '{}' is not known; none, add, mul, max and min are", reduction));
}

namespace {

template <class W>
void Reduce(Tensor& output, const Tensor& updates, const std::vector<int64_t>& targets, int64_t run,
            const std::string& reduction) {
  const WideReader values(updates, updates.dims());
  for (size_t i = 0; i < targets.size(); ++i) {
    for (int64_t j = 0; j < run; ++j) {
      W a{}, b{};
      WideReader(output, output.dims()).Read<W>(targets[i] + j, std::span(&a, 1));
      values.Read<W>(static_cast<int64_t>(i) * run + j, std::span(&b, 1));
      if (reduction == "add") {
        a = Wrapping(a, b, std::plus<>());
      } else if (reduction == "mul") {
        a = Wrapping(a, b, std::multiplies<>());
      } else {
        a = reduction == "max" ? std::max(a, b) : std::min(a, b);
      }
      WriteWide<W>(output, targets[i] + j, std::span<const W>(&a, 1));
    }
  }
}

}  // namespace

void Scatter(EvalContext& context, const Tensor& updates, const std::vector<int64_t>& targets, int64_t run) {
  Tensor& output = context.outputs[0];
  const std::string reduction = context.node.String("reduction", "none");
  if (run == 0) return;
  if (reduction == "none") {
    const size_t element = ElementBytes(output);
    const size_t bytes = static_cast<size_t>(run) * element;
    for (size_t i = 0; i < targets.size(); ++i) {
      std::memcpy(output.raw() + static_cast<size_t>(targets[i]) * element, updates.raw() + i * bytes, bytes);
    }
    return;
  }
  switch (WideOf(output.dtype())) {
    case Wide::kDouble:
      return Reduce<double>(output, updates, targets, run, reduction);
    case Wide::kInt64:
      return Reduce<int64_t>(output, updates, targets, run, reduction);
    case Wide::kUint64:
      return Reduce<uint64_t>(output, updates, targets, run, reduction);
  }
}

// Inputs: data, indices, updates of the indices' dimensions.
Status InferScatterElements(InferContext& context) {
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

Status EvalScatterElements(EvalContext& context) {
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

}  // namespace tamis
