// Elementwise operators with broadcasting, and casts.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "tamis/dtype.h"

namespace tamis::cuda {

enum class ElementwiseKind : int {
  // of one operand; alpha and beta as the operator's attributes
  kRelu,
  kGelu,
  kGeluTanh,
  kTanh,
  kSigmoid,
  kClip,  // to [alpha, beta]
  kHardSwish,
  kErf,
  kExp,
  kLog,
  kSqrt,
  kReciprocal,
  kNeg,
  kAbs,
  kHardSigmoid,  // clamp(alpha * x + beta, 0, 1)
  kLeakyRelu,    // alpha * x below 0
  kSoftplus,
  kSwish,  // x * sigmoid(alpha * x)
  kMish,
  kElu,     // alpha * (exp(x * gamma) - 1) below 0, beta * x above
  kAffine,  // alpha * x + beta
  kSoftsign,
  // of two
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMin,
  kMax,
  kPow,
};

inline bool IsBinary(ElementwiseKind kind) {
  return kind >= ElementwiseKind::kAdd;
}

struct ElementwiseStep {
  ElementwiseKind kind = ElementwiseKind::kRelu;
  float alpha = 0, beta = 0, gamma = 0;
};

// Operands of f32, f16 or bf16 each on its own; arithmetic in f32.
struct ElementwiseArgs {
  ElementwiseStep step;
  const void *a = nullptr, *b = nullptr;
  void* y = nullptr;
  DType a_dtype = DType::kFloat32, b_dtype = DType::kFloat32, y_dtype = DType::kFloat32;
  int64_t count = 0;
  int rank = 1;  // of the loops over y, neighbouring dimensions merged
  int64_t dims[8] = {};
  int64_t strides[2][8] = {};  // elements; 0 where broadcast
};

cudaError_t LaunchElementwise(const ElementwiseArgs& args, cudaStream_t stream);

struct CastArgs {
  const void* x = nullptr;
  void* y = nullptr;
  DType from = DType::kFloat32, to = DType::kFloat32;
  int64_t count = 0;
};

// Between f32, f16, bf16, int64, int32, int8, uint8 and bool. A float out of an integer's range gives its nearest
// bound, a NaN gives 0.
cudaError_t LaunchCast(const CastArgs& args, cudaStream_t stream);

}  // namespace tamis::cuda
