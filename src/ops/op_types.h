// Types of sequences, optionals and of values that several bodies or iterations give.
#pragma once

#include <string>

#include "src/ops/op_def.h"

namespace tamis {

inline Type MakeElementType(Type::Kind kind, Type element) {
  Type type;
  type.kind = kind;
  type.element = std::make_shared<const Type>(std::move(element));
  return type;
}
inline Type SequenceOf(Type element) {
  return MakeElementType(Type::Kind::kSequence, std::move(element));
}
inline Type OptionalOf(Type element) {
  return MakeElementType(Type::Kind::kOptional, std::move(element));
}

bool IsSequence(const Type* type);  // false for null
bool IsOptional(const Type* type);
// A tensor of which not even the dtype is known: what a value has before inference reached it.
bool IsUnknown(const Type& type);

// What is true of both: dimensions that differ become symbols of output `output`. nullopt if no value can be of both
// (a tensor and a sequence, two dtypes). An optional and its element join to the optional.
std::optional<Type> JoinTypes(const InferContext& context, size_t output, const Type& a, const Type& b);

// The type of output `output` when a body or a sequence gives it: symbols in it may mean another size each time, so
// every dimension that is not constant becomes a symbol of the output. `keep` are symbols that mean the same outside.
Type OutsideType(const InferContext& context, size_t output, const Type& type,
                 const std::vector<std::string>& keep = {});
// Dimensions that depend on data, each with its symbol of output `output`.
Shape DataShape(const InferContext& context, size_t output, size_t rank);
// How many elements a one-dimensional operand has, where that is known: the rank of what a list of run time decides.
std::optional<size_t> ListLength(const InferContext& context, size_t input);

// The element type of a sequence operand, or an error that names it.
Result<Type> SequenceElement(const InferContext& context, size_t input);
// The same at run time: the elements of a sequence operand.
Result<std::span<const Datum>> SequenceElements(const DataContext& context, size_t input);
// A tensor operand at run time.
Result<const Tensor*> TensorOperand(const DataContext& context, size_t input);
// The one element of an integer or bool tensor.
Result<int64_t> ScalarOperand(const DataContext& context, size_t input);

}  // namespace tamis
