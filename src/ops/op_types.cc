#include "src/ops/op_types.h"

#include <algorithm>

namespace tamis {

bool IsSequence(const Type* type) {
  return type != nullptr && type->kind == Type::Kind::kSequence;
}

bool IsOptional(const Type* type) {
  return type != nullptr && type->kind == Type::Kind::kOptional;
}

bool IsUnknown(const Type& type) {
  return type.IsTensor() && type.dtype == DType::kUndefined;
}

std::optional<Type> JoinTypes(const InferContext& context, size_t output, const Type& a, const Type& b) {
  if (IsUnknown(a)) return b;
  if (IsUnknown(b)) return a;
  if (a.kind != b.kind) {
    if (a.kind != Type::Kind::kOptional && b.kind != Type::Kind::kOptional) return std::nullopt;
    const Type& optional = a.kind == Type::Kind::kOptional ? a : b;
    const Type& plain = a.kind == Type::Kind::kOptional ? b : a;
    auto element = optional.element ? JoinTypes(context, output, *optional.element, plain) : plain;
    if (!element) return std::nullopt;
    return OptionalOf(std::move(*element));
  }
  if (!a.IsTensor()) {
    if (!a.element) return b;
    if (!b.element) return a;
    auto element = JoinTypes(context, output, *a.element, *b.element);
    if (!element) return std::nullopt;
    return MakeElementType(a.kind, std::move(*element));
  }
  if (a.dtype != b.dtype) return std::nullopt;
  Type type;
  type.dtype = a.dtype;
  if (!a.has_rank || !b.has_rank || a.shape.size() != b.shape.size()) return type;
  type.has_rank = true;
  for (size_t axis = 0; axis < a.shape.size(); ++axis) {
    type.shape.push_back(a.shape[axis] == b.shape[axis] ? a.shape[axis] : context.DataDim(output, axis));
  }
  return type;
}

Type OutsideType(const InferContext& context, size_t output, const Type& type, const std::vector<std::string>& keep) {
  if (!type.IsTensor()) {
    if (!type.element) return type;
    return MakeElementType(type.kind, OutsideType(context, output, *type.element, keep));
  }
  Type result = type;
  for (size_t axis = 0; axis < result.shape.size(); ++axis) {
    std::vector<std::string> symbols;
    result.shape[axis].CollectSymbols(&symbols);
    const bool known = std::all_of(symbols.begin(), symbols.end(), [&](const std::string& symbol) {
      return std::find(keep.begin(), keep.end(), symbol) != keep.end();
    });
    if (!known) result.shape[axis] = context.DataDim(output, axis);
  }
  return result;
}

Shape DataShape(const InferContext& context, size_t output, size_t rank) {
  Shape shape;
  for (size_t axis = 0; axis < rank; ++axis) shape.push_back(context.DataDim(output, axis));
  return shape;
}

std::optional<size_t> ListLength(const InferContext& context, size_t input) {
  constexpr int64_t kMaxRank = 64;
  const Shape* shape = context.InputShape(input);
  if (shape == nullptr || shape->size() != 1) return std::nullopt;
  const auto length = (*shape)[0].Constant();
  return length && *length <= kMaxRank ? std::optional<size_t>(static_cast<size_t>(*length)) : std::nullopt;
}

Result<Type> SequenceElement(const InferContext& context, size_t input) {
  const Type* type = context.InputType(input);
  if (type == nullptr) return context.Error(fmt::format("input {} is missing", input));
  if (IsOptional(type) && IsSequence(type->element.get())) type = type->element.get();
  if (IsUnknown(*type)) return Type{};
  if (!IsSequence(type)) {
    return context.Error(fmt::format("input {} is {}, must be a sequence", input, type->ToString()));
  }
  return type->element ? *type->element : Type{};
}

namespace {

std::string Describe(const Datum* datum) {
  if (datum == nullptr) return "missing";
  if (datum->IsNone()) return "an empty optional";
  if (datum->IsSequence()) return "a sequence";
  return fmt::format("a tensor {}{}", Name(datum->tensor().dtype()), ToString(datum->tensor().dims()));
}

}  // namespace

Result<std::span<const Datum>> SequenceElements(const DataContext& context, size_t input) {
  const Datum* datum = context.input(input);
  if (datum == nullptr || !datum->IsSequence()) {
    return context.Error(fmt::format("input {} is {}, must be a sequence", input, Describe(datum)));
  }
  return std::span<const Datum>(datum->elements());
}

Result<const Tensor*> TensorOperand(const DataContext& context, size_t input) {
  const Datum* datum = context.input(input);
  if (datum == nullptr || !datum->IsTensor()) {
    return context.Error(fmt::format("input {} is {}, must be a tensor", input, Describe(datum)));
  }
  return &datum->tensor();
}

Result<int64_t> ScalarOperand(const DataContext& context, size_t input) {
  TAMIS_ASSIGN_OR_RETURN(const Tensor* tensor, TensorOperand(context, input));
  const bool integral = IsInteger(tensor->dtype()) || tensor->dtype() == DType::kBool;
  if (!integral || BitSize(tensor->dtype()) < 8 || tensor->NumElements() != 1) {
    return context.Error(
        fmt::format("input {} is {}, must be one integer or bool", input, Describe(context.input(input))));
  }
  return tensor->ToInt64s()[0];
}

}  // namespace tamis
