// Element-by-element operators: type rules, broadcasting, and the contents of small integer tensors.
//
// An operator's file gives a functor with a template operator(); the templates below make the evaluation for every
// element type that the functor's trait allows.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <vector>

#include "src/ops/op_rule.h"

namespace tamis {

// Which element types an operator takes.
enum class Elements : uint8_t { kFloats, kNumbers, kIntegers, kBools, kAll };

// Calls f(T{}) with the element type; an error naming the operator if it is not allowed. Half-precision operands are
// widened before an evaluation sees them.
template <class F>
Status DispatchElements(EvalContext& context, DType dtype, Elements allowed, F&& f);

Status CheckElements(const Operands& operands, size_t i, Elements allowed);

// The index arithmetic of NumPy broadcasting: for every output element in order, the offset into each input.
class BroadcastWalk {
 public:
  BroadcastWalk(const Dims& output, const std::vector<Dims>& inputs);
  const std::vector<int64_t>& offsets() const { return offsets_; }
  void Next();

 private:
  Dims output_, index_;
  std::vector<Dims> strides_;
  std::vector<int64_t> offsets_;
};

// Same shape and dtype as the input.
Status InferUnary(InferContext& context);
// Same shape, bool.
Status InferUnaryBool(InferContext& context);
// Broadcast of all inputs; dtype of input 0, which all must share.
Status InferBroadcast(InferContext& context);
// Broadcast of all inputs, bool.
Status InferBroadcastBool(InferContext& context);
// Broadcast shape of concrete operands; error if they don't.
Result<Dims> BroadcastDims(const EvalContext& context);

// Contents of an element-wise integer operator: applies `f` to the operands' contents, a single element broadcast.
// Stores nothing if an operand is not known.
using DimFunction = std::optional<Dim> (*)(const Dim&, const Dim&);
void InferContents(InferContext& context, DimFunction f);

template <class Op>
Status EvalUnary(EvalContext& context) {
  const Tensor& x = *context.input(0);
  return DispatchElements(context, x.dtype(), Op::kElements, [&]<class T>(T) {
    Tensor y(x.dtype(), x.dims());
    const T* in = x.Data<T>();
    T* out = y.Data<T>();
    const Op op(context.node);
    for (int64_t i = 0, n = x.NumElements(); i < n; ++i) out[i] = static_cast<T>(op(in[i]));
    context.outputs[0] = std::move(y);
    return Status();
  });
}

// Folds the inputs from the left with a functor of two elements; Result is void for "the operands' type" or bool.
template <class Op, class Output = void>
Status EvalBroadcast(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Dims dims, BroadcastDims(context));
  const Tensor& first = *context.input(0);
  return DispatchElements(context, first.dtype(), Op::kElements, [&]<class T>(T) {
    using Out = std::conditional_t<std::is_void_v<Output>, T, Output>;
    std::vector<Dims> shapes;
    for (const Tensor* input : context.inputs) {
      if (input->dtype() != first.dtype()) return context.Error("the operands have different element types");
      shapes.push_back(input->dims());
    }
    Tensor y(std::is_same_v<Output, bool> ? DType::kBool : first.dtype(), dims);
    Out* out = y.Data<Out>();
    const Op op(context.node);
    BroadcastWalk walk(dims, shapes);
    for (int64_t i = 0, n = y.NumElements(); i < n; ++i, walk.Next()) {
      const auto& at = walk.offsets();
      T value = first.Data<T>()[at[0]];
      if (context.inputs.size() == 1) {
        out[i] = static_cast<Out>(value);
        continue;
      }
      for (size_t k = 1; k + 1 < context.inputs.size(); ++k) {
        value = static_cast<T>(op(value, context.inputs[k]->Data<T>()[at[k]]));
      }
      out[i] = static_cast<Out>(op(value, context.inputs.back()->Data<T>()[at.back()]));
    }
    context.outputs[0] = std::move(y);
    return Status();
  });
}

// A functor without attributes.
struct Plain {
  explicit Plain(const Node&) {}
};

template <class F>
Status DispatchElements(EvalContext& context, DType dtype, Elements allowed, F&& f) {
  const bool floats = allowed == Elements::kFloats || allowed == Elements::kNumbers || allowed == Elements::kAll;
  const bool integers = allowed == Elements::kIntegers || allowed == Elements::kNumbers || allowed == Elements::kAll;
  const bool bools = allowed == Elements::kBools || allowed == Elements::kAll;
  if (dtype == DType::kFloat32 && floats) return f(float{});
  if (dtype == DType::kFloat64 && floats) return f(double{});
  if (dtype == DType::kBool && bools) return f(bool{});
  if (integers) {
    switch (dtype) {
      case DType::kInt8:
        return f(int8_t{});
      case DType::kInt16:
        return f(int16_t{});
      case DType::kInt32:
        return f(int32_t{});
      case DType::kInt64:
        return f(int64_t{});
      case DType::kUInt8:
        return f(uint8_t{});
      case DType::kUInt16:
        return f(uint16_t{});
      case DType::kUInt32:
        return f(uint32_t{});
      case DType::kUInt64:
        return f(uint64_t{});
      default:
        break;
    }
  }
  return context.Error(fmt::format("element type {} is not supported", Name(dtype)));
}

}  // namespace tamis
