#include <cstring>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"

namespace tamis {
namespace {

// Inputs: condition, then, else; all three broadcast.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 3, 3));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kBools));
  TAMIS_RETURN_IF_ERROR(CheckSameDType(context, 1, 2));
  TAMIS_ASSIGN_OR_RETURN(auto shape, BroadcastInputs(context));
  const DType dtype = context.InputDType(1) == DType::kUndefined ? context.InputDType(2) : context.InputDType(1);
  if (!shape) {
    context.SetOutputDType(0, dtype);
    return {};
  }
  auto condition = Contents(context, 0);
  if (const Tensor* constant = context.InputConstant(0);
      constant != nullptr && constant->rank() <= 1 && constant->NumElements() <= 64) {
    const auto values = constant->ToInt64s();
    condition.emplace(values.begin(), values.end());
  }
  const auto yes = Contents(context, 1);
  const auto no = Contents(context, 2);
  const auto size = shape->empty() ? 1 : shape->size() == 1 ? (*shape)[0].Constant().value_or(-1) : -1;
  const auto fits = [&](const auto& list) {
    return list && (list->size() == 1 || static_cast<int64_t>(list->size()) == size);
  };
  if (fits(yes) && fits(no) && size >= 0 && size <= 64) {
    const auto at = [](const std::vector<Dim>& list, int64_t i) {
      return list[list.size() == 1 ? 0 : static_cast<size_t>(i)];
    };
    std::vector<Dim> picked;
    for (int64_t i = 0; i < size; ++i) {
      if (at(*yes, i) == at(*no, i)) {
        picked.push_back(at(*yes, i));
      } else if (fits(condition) && at(*condition, i).IsConstant()) {
        picked.push_back(at(*condition, i) == Dim(0) ? at(*no, i) : at(*yes, i));
      }
    }
    if (static_cast<int64_t>(picked.size()) == size) SetTracked(context, 0, std::move(picked));
  }
  return SetShape(context, 0, dtype, std::move(*shape));
}

Status Eval(EvalContext& context) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  Tensor& output = context.outputs[0];
  const Dims& dims = output.dims();
  const size_t element = ElementBytes(output);
  const auto spread = [&](size_t i, Tensor& to) {
    CopyStrided(context.input(i)->raw(), 0, dims, BroadcastStrides(context.input(i)->dims(), dims), ElementBytes(to),
                to.raw());
  };
  TAMIS_ASSIGN_OR_RETURN(Tensor condition, Allocate(context, DType::kBool, dims));
  TAMIS_ASSIGN_OR_RETURN(Tensor yes, Allocate(context, output.dtype(), dims));
  spread(0, condition);
  spread(1, yes);
  spread(2, output);
  const auto choose = condition.Span<uint8_t>();
  for (size_t i = 0; i < choose.size(); ++i) {
    if (choose[i] != 0) std::memcpy(output.raw() + i * element, yes.raw() + i * element, element);
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{Tensor(DType::kBool, {2, 1}), SampleFloats(1, {3}), SampleFloats(2, {})}, {}}};
}

}  // namespace

extern const OpDef op_where = {.name = "Where",
                               .domain = "",
                               .since_opset = 9,
                               .infer = Infer,
                               .eval = EvalMoved<Eval>,
                               .test_cases = Cases,
                               .widen_half = false};

}  // namespace tamis
