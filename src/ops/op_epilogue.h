// What the operators of the tamis domain have in common: their dtypes and the epilogue of the matrix products.
#pragma once

#include "src/ops/op_rule.h"
#include "src/ops/op_tamis.h"

namespace tamis {

// f32, bf16 or f16, the operand types of the domain; f64 never occurs there.
void CheckTamisFloat(const Operands& operands, size_t i, NodeProblems* problems);
// Attribute output_dtype, or the dtype of input 0.
DType TamisOutputDType(const Operands& operands, NodeProblems* problems);
// Checks bias (input 2), residual (input 3, shaped like `y`), the activation and its limits.
void CheckEpilogue(const Operands& operands, const Shape& y, NodeProblems* problems);

// Adds bias and residual to a sum and applies the activation. Reads operands by element index; nothing is copied.
class EpilogueReference {
 public:
  // The context's operands are f32 and have passed CheckEpilogue.
  explicit EpilogueReference(const EvalContext& context);
  // The value of element `index` of y, which lies in output channel `channel`.
  float operator()(double sum, int64_t channel, int64_t index) const {
    if (bias_ != nullptr) sum += static_cast<double>(bias_[channel]);
    if (residual_ != nullptr) sum += static_cast<double>(residual_[index]);
    return static_cast<float>(Apply(epilogue_, sum));
  }

 private:
  Epilogue epilogue_;
  const float* bias_ = nullptr;
  const float* residual_ = nullptr;
};

}  // namespace tamis
