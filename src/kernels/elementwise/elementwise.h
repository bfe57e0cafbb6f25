// Elementwise operators of ONNX: the arguments of their bodies and the part that does not depend on the ISA.
//
// Items are elements of the result. bf16 operands are widened in pieces that stay in the L1 cache; all arithmetic is
// f32. Each operand may be f32 or bf16 on its own.
#pragma once

#include "src/kernels/elementwise/broadcast.h"
#include "src/kernels/range_kernel.h"

namespace tamis {

enum class BinaryKind : uint8_t { kAdd, kSub, kMul, kDiv, kMin, kMax, kPRelu, kSwiGlu };

struct BinaryArgs {
  BinaryKind kind = BinaryKind::kAdd;
  BroadcastLoops loops;
  bool bf16[2] = {};
  bool bf16_output = false;
  float alpha = 1;  // of SwiGLU
};

// Sum, Mean, Max and Min of any number of f32 operands, folded from the left.
struct VariadicArgs {
  BinaryKind kind = BinaryKind::kAdd;
  int64_t operands = 0;
  const BroadcastLoops* loops = nullptr;  // of each operand by itself; owned by the kernel
  float factor = 1;
};

enum class UnaryKind : uint8_t {
  kRelu,
  kGelu,
  kGeluTanh,
  kTanh,
  kSigmoid,
  kClip,  // to [alpha, beta], or to what inputs 1 and 2 hold
  kHardSwish,
  kErf,
  kExp,
  kSqrt,
  kNeg,
  kHardSigmoid,  // clamp(alpha * x + beta, 0, 1)
  kLeakyRelu,    // alpha * x below 0
  kElu,          // alpha * (exp(x * gamma) - 1) below 0, beta * x above
  kSoftplus,
  kSoftsign,
  kMish,
  kThresholdedRelu,  // 0 below alpha
  kSwish,            // x * sigmoid(alpha * x)
  kAbs,
  kReciprocal,
  kLog,
  kSin,
  kCos,
  kAtan,
  kFloor,
  kCeil,
  kRound,  // ties to even
  kSign,
  kShrink,  // x + beta below -alpha, x - beta above alpha, 0 between
};

struct UnaryArgs {
  UnaryKind kind = UnaryKind::kRelu;
  float alpha = 0, beta = 0, gamma = 0;
  int bounds = 0;  // inputs behind x: the bounds of Clip, each may be omitted
  bool bf16_input = false, bf16_output = false;
};

struct CastArgs {
  DType from = DType::kUndefined, to = DType::kUndefined;
};

using BinaryBody = RangeBody<BinaryArgs>;
using VariadicBody = RangeBody<VariadicArgs>;
using UnaryBody = RangeBody<UnaryArgs>;
using CastBody = RangeBody<CastArgs>;

Status SupportsBinary(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareBinary(const Problem& problem, BinaryBody body);
Status SupportsVariadic(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareVariadic(const Problem& problem, VariadicBody body);

Status SupportsUnary(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareUnary(const Problem& problem, UnaryBody body);
double UnaryFlops(const Problem& problem);

// Casts between floats of 16 bits or more, integers of 8 bits or more, and bool. A float out of an integer's range
// gives its nearest bound, a NaN gives 0.
Status SupportsCast(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareCast(const Problem& problem, CastBody body);
// Elements [begin, end) of any such cast. Plain code for all ISAs.
void CastElements(const CastArgs& args, const void* from, void* to, int64_t begin, int64_t end);

}  // namespace tamis
