// What the quantizing operators share: which scale belongs to an element, and operators that compute on integers by way
// of another operator.
#pragma once

#include <string>
#include <vector>

#include "src/ops/op_bind.h"

namespace tamis {

// One scale for the tensor, one an index of an axis, or one a block of consecutive indices of an axis.
class ScaleIndex {
 public:
  // CheckScales must have accepted the dimensions.
  ScaleIndex(const Dims& x, const Dims& scale, int64_t axis, int64_t block);
  int64_t operator()(int64_t element) const {
    if (scales_ == 1 && block_ == 0) return 0;
    const int64_t along = element / inner_ % size_;
    if (block_ == 0) return along;
    return (element / (inner_ * size_) * scales_ + along / block_) * inner_ + element % inner_;
  }

 private:
  int64_t size_ = 1;    // of the axis
  int64_t inner_ = 1;   // elements after the axis
  int64_t scales_ = 1;  // along the axis
  int64_t block_ = 0;   // 0: not in blocks
};

// Inputs x, scale, zero point of QuantizeLinear and DequantizeLinear: dimensions that fit together by the attributes
// axis and block_size.
Status CheckScales(const InferContext& context);

// Types of the floats that scale: f32, f16, bf16, and float8_e8m0fnu since opset 23.
Status CheckScaleDType(const InferContext& context, size_t i);

// An attribute that names an element type; kUndefined without it.
Result<DType> DTypeAttribute(const InferContext& context, const std::string& name);

// The range of an integer type of at most 16 bits.
struct IntegerRange {
  double low = 0;
  double high = 0;
};
IntegerRange RangeOf(DType dtype);
// round(value) + zero, saturated to the range of the type; NaN counts as 0. `value` is rounded to even.
double Saturated(double value, double zero, const IntegerRange& range);

// What operator `op` of ai.onnx infers and computes with the node's attributes, on other operands. An undefined type
// or tensor is an omitted operand.
Result<Type> InferAs(const InferContext& context, const std::string& op, const std::vector<Type>& operands);
Result<Tensor> EvaluateAs(const EvalContext& context, const std::string& op, const std::vector<Tensor>& operands);

// The type of input i with another dtype; undefined if omitted.
Type TypeAs(const InferContext& context, size_t i, DType dtype);
// values - zeros in `dtype`; `zeros` must broadcast, or be omitted (nullptr).
Tensor Centered(const Tensor& values, const Tensor* zeros, DType dtype);
// Zero points and scales of a product's operand, seen so that they broadcast to it: of a left one, a vector goes along
// the rows; of a filter, along the output channels.
enum class Operand8 : uint8_t { kRows, kColumns, kFilters };
Tensor ScalesFor(const Tensor& scales, const Dims& operand, Operand8 kind);
// Whether they may be: a scalar, a vector along that axis, or as many dimensions as the operand has, all 1 that are
// summed over.
Status CheckScalesFor(const InferContext& context, size_t scales, size_t operand, Operand8 kind);

// Seeded bytes for test cases, of int8 or uint8.
Tensor SampleBytes(DType dtype, uint64_t seed, Dims dims);

}  // namespace tamis
