#include "src/ops/op_elementwise.h"

#include "src/ops/op_rule.h"

namespace tamis {

Result<Shape> BroadcastShapes(const InferContext& context, const Shape& a, const Shape& b) {
  auto joined = JoinShapes(a, b);
  if (!joined) return context.Error(fmt::format("shapes {} and {} do not broadcast", ToString(a), ToString(b)));
  return std::move(*joined);
}

Result<std::optional<Shape>> BroadcastInputs(const InferContext& context) {
  Shape shape;
  for (size_t i = 0; i < context.NumInputs(); ++i) {
    const Shape* input = context.InputShape(i);
    if (input == nullptr) return std::optional<Shape>();
    TAMIS_ASSIGN_OR_RETURN(shape, BroadcastShapes(context, shape, *input));
  }
  return std::optional<Shape>(std::move(shape));
}

Status InferUnary(InferContext& context, unsigned allowed) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, allowed));
  if (context.InputShape(0) != nullptr) return SetShape(context, 0, context.InputDType(0), *context.InputShape(0));
  context.SetOutputDType(0, context.InputDType(0));
  return {};
}

namespace {

// The contents of the result, if every input's are known and at most one-dimensional.
std::optional<std::vector<Dim>> FoldContents(const InferContext& context, DimFunction function) {
  std::optional<std::vector<Dim>> total;
  for (size_t i = 0; i < context.NumInputs(); ++i) {
    const auto next = Contents(context, i);
    if (!next) return std::nullopt;
    if (!total) {
      total = next;
      continue;
    }
    const size_t size = total->size() == 1 ? next->size() : total->size();
    if (next->size() != size && next->size() != 1) return std::nullopt;
    std::vector<Dim> folded;
    for (size_t j = 0; j < size; ++j) {
      const auto dim = function(context, (*total)[total->size() == 1 ? 0 : j], (*next)[next->size() == 1 ? 0 : j]);
      if (!dim) return std::nullopt;
      folded.push_back(*dim);
    }
    total = std::move(folded);
  }
  return total;
}

}  // namespace

Status InferBroadcast(InferContext& context, const BroadcastRule& rule) {
  const size_t required = std::max<size_t>({rule.inputs, rule.inputs == 0 ? context.NumInputs() : 0, 1});
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, required, rule.inputs == 0 ? SIZE_MAX : rule.inputs));
  for (size_t i = 0; i < context.NumInputs(); ++i) {
    TAMIS_RETURN_IF_ERROR(CheckDType(context, i, rule.allowed));
    if (rule.same_dtype) TAMIS_RETURN_IF_ERROR(CheckSameDType(context, 0, i));
  }
  const DType dtype = rule.result == DType::kUndefined ? context.InputDType(0) : rule.result;
  TAMIS_ASSIGN_OR_RETURN(auto shape, BroadcastInputs(context));
  if (!shape) {
    context.SetOutputDType(0, dtype);
    return {};
  }
  TAMIS_RETURN_IF_ERROR(SetShape(context, 0, dtype, std::move(*shape)));
  if (rule.contents != nullptr) {
    if (auto contents = FoldContents(context, rule.contents)) SetTracked(context, 0, std::move(*contents));
  }
  return {};
}

Wide WideOf(DType dtype) {
  if (IsFloat(dtype)) return Wide::kDouble;
  switch (dtype) {
    case DType::kInt8:
    case DType::kInt16:
    case DType::kInt32:
    case DType::kInt64:
    case DType::kInt4:
    case DType::kInt2:
      return Wide::kInt64;
    default:
      return Wide::kUint64;
  }
}

}  // namespace tamis
