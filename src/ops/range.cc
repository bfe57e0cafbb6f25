#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

// Inputs: start, limit, delta, scalars of one type.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 3, 3));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kNumbers));
  for (size_t i : {0, 1, 2}) {
    TAMIS_RETURN_IF_ERROR(CheckSameDType(context, 0, i));
    const Shape* shape = context.InputShape(i);
    if (shape != nullptr && TrackedProduct(*shape).value_or(Dim(1)).Constant().value_or(1) != 1) {
      return context.Error(fmt::format("input {} must be a scalar, has dimensions {}", i, ToString(*shape)));
    }
  }
  const DType dtype = context.InputDType(0);
  context.SetOutputDType(0, dtype);
  const Tensor* constants[] = {context.InputConstant(0), context.InputConstant(1), context.InputConstant(2)};
  if (IsFloat(dtype) && constants[0] && constants[1] && constants[2]) {
    double values[3];
    for (size_t i : {0, 1, 2})
      WideReader(*constants[i], constants[i]->dims()).Read<double>(0, std::span(&values[i], 1));
    const double count = std::ceil((values[1] - values[0]) / values[2]);
    if (!(count <= static_cast<double>(kMaxElements)))
      return context.Error("the range is empty of meaning or too long");
    return SetShape(context, 0, dtype, {static_cast<int64_t>(std::max(count, 0.0))});
  }
  const auto start = Contents(context, 0);
  const auto limit = Contents(context, 1);
  const auto delta = ConstantInt(context, 2);
  if (delta == 0) return context.Error("delta is 0");
  if (!start || !limit || !delta || start->size() != 1 || limit->size() != 1) {
    return SetShape(context, 0, dtype, {context.DataDim(0, 0)});
  }
  constexpr int64_t kLimit = int64_t{1} << 61;  // differences stay in range
  for (const Dim& dim : {(*start)[0], (*limit)[0], Dim(*delta)}) {
    if (std::abs(std::max(dim.Constant().value_or(0), -INT64_MAX)) > kLimit)
      return context.Error("the bounds are too large");
  }
  const Dim distance = *delta > 0 ? (*limit)[0] - (*start)[0] : (*start)[0] - (*limit)[0];
  const Dim count = Dim::CeilDiv(Dim::Max(distance, Dim(0)), Dim(std::abs(*delta)));
  if (const auto known = count.Constant(); known && *known <= 64) {
    std::vector<Dim> contents;
    for (int64_t i = 0; i < *known; ++i) contents.push_back((*start)[0] + Dim(i * *delta));
    SetTracked(context, 0, std::move(contents));
  }
  return SetShape(context, 0, dtype, {count});
}

template <class W>
void Fill(EvalContext& context) {
  W start{}, delta{};
  WideReader(*context.input(0), context.input(0)->dims()).Read<W>(0, std::span(&start, 1));
  WideReader(*context.input(2), context.input(2)->dims()).Read<W>(0, std::span(&delta, 1));
  for (int64_t i = 0; i < context.outputs[0].NumElements(); ++i) {
    const W value = Wrapping(start, Wrapping(static_cast<W>(i), delta, std::multiplies<>()), std::plus<>());
    WriteWide<W>(context.outputs[0], i, std::span<const W>(&value, 1));
  }
}

Status Eval(EvalContext& context) {
  for (size_t i : {0, 1, 2}) {
    if (context.input(i) == nullptr || context.input(i)->NumElements() != 1)
      return context.Error("needs three scalars");
  }
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  switch (WideOf(context.input(0)->dtype())) {
    case Wide::kDouble:
      Fill<double>(context);
      break;
    case Wide::kInt64:
      Fill<int64_t>(context);
      break;
    case Wide::kUint64:
      Fill<uint64_t>(context);
      break;
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  const auto scalar = [](int64_t value) { return SampleInts(0, {}, value, value); };
  return {{{scalar(10), scalar(4), scalar(-2)}, {}}, {{Tensor::Float(1), Tensor::Float(5), Tensor::Float(1.5f)}, {}}};
}

}  // namespace

extern const OpDef op_range = {
    .name = "Range", .domain = "", .since_opset = 11, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
