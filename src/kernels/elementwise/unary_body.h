// The body of unary operators, and of casts, for the ISA of the including file.
#pragma once

#include "src/kernels/elementwise/elementwise.h"
#include "src/kernels/vec_functions.h"
#include "src/kernels/vec_half.h"

namespace tamis {
namespace {

inline void Transform(const UnaryArgs& args, const float* x, float* y, int64_t n) {
  const Vec zero = Set(0), alpha = Set(args.alpha), beta = Set(args.beta);
  switch (args.kind) {
    case UnaryKind::kRelu:
      return Map(x, y, n, [&](Vec v) { return Max(zero, v); });
    case UnaryKind::kGelu:
      return Map(x, y, n, [](Vec v) { return Gelu(v); });
    case UnaryKind::kGeluTanh:
      return Map(x, y, n, [](Vec v) { return GeluTanh(v); });
    case UnaryKind::kTanh:
      return Map(x, y, n, [](Vec v) { return Tanh(v); });
    case UnaryKind::kSigmoid:
      return Map(x, y, n, [](Vec v) { return Sigmoid(v); });
    case UnaryKind::kClip:
      return Map(x, y, n, [&](Vec v) { return Clamp(v, alpha, beta); });
    case UnaryKind::kHardSwish:
      return Map(x, y, n, [](Vec v) { return HardSwish(v); });
    case UnaryKind::kErf:
      return Map(x, y, n, [](Vec v) { return Erf(v); });
    case UnaryKind::kExp:
      return Map(x, y, n, [](Vec v) { return Exp(v); });
    case UnaryKind::kSqrt:
      return Map(x, y, n, [](Vec v) { return Sqrt(v); });
    case UnaryKind::kNeg:
      return Map(x, y, n, [&](Vec v) { return v * Set(-1); });
    case UnaryKind::kHardSigmoid:
      return Map(x, y, n, [&](Vec v) { return HardSigmoid(v, alpha, beta); });
    case UnaryKind::kLeakyRelu:
      return Map(x, y, n, [&](Vec v) { return IfLess(v, zero, v * alpha, v); });
    case UnaryKind::kElu: {
      const Vec gamma = Set(args.gamma);
      return Map(x, y, n, [&](Vec v) { return IfLess(v, zero, alpha * Expm1(v * gamma), v * beta); });
    }
    case UnaryKind::kSoftplus:
      return Map(x, y, n, [](Vec v) { return Softplus(v); });
    case UnaryKind::kSoftsign:
      return Map(x, y, n, [](Vec v) { return v / (Set(1) + Abs(v)); });
    case UnaryKind::kMish:
      return Map(x, y, n, [](Vec v) { return Mish(v); });
    case UnaryKind::kThresholdedRelu:
      return Map(x, y, n, [&](Vec v) { return IfLess(v, alpha, zero, v); });
    case UnaryKind::kSwish:
      return Map(x, y, n, [&](Vec v) { return v * Sigmoid(alpha * v); });
    case UnaryKind::kAbs:
      return Map(x, y, n, [](Vec v) { return Abs(v); });
    case UnaryKind::kReciprocal:
      return Map(x, y, n, [](Vec v) { return Set(1) / v; });
    case UnaryKind::kLog:
      return Map(x, y, n, [](Vec v) { return Log(v); });
    case UnaryKind::kSin:
      return Map(x, y, n, [](Vec v) { return Sin(v); });
    case UnaryKind::kCos:
      return Map(x, y, n, [](Vec v) { return Cos(v); });
    case UnaryKind::kAtan:
      return Map(x, y, n, [](Vec v) { return Atan(v); });
    case UnaryKind::kFloor:
      return Map(x, y, n, [](Vec v) { return Floor(v); });
    case UnaryKind::kCeil:
      return Map(x, y, n, [](Vec v) { return Ceil(v); });
    case UnaryKind::kRound:
      return Map(x, y, n, [](Vec v) { return RoundAny(v); });
    case UnaryKind::kSign:  // of a zero or a NaN, itself
      return Map(x, y, n, [&](Vec v) { return IfLess(v, zero, Set(-1), IfLess(zero, v, Set(1), v)); });
    case UnaryKind::kShrink:
      return Map(x, y, n, [&](Vec v) { return IfLess(v, zero - alpha, v + beta, IfLess(alpha, v, v - beta, zero)); });
  }
}

TAMIS_INLINE float ReadBound(const void* bound, bool bf16, float fallback) {
  if (bound == nullptr) return fallback;
  return bf16 ? ToFloat(*static_cast<const Bf16*>(bound)) : *static_cast<const float*>(bound);
}

inline void Unary(const UnaryArgs& given, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
                  std::byte* /*scratch*/) {
  constexpr int64_t kPiece = 512;  // elements widened at a time
  alignas(64) float x_piece[kPiece], y_piece[kPiece];
  UnaryArgs args = given;
  if (args.kind == UnaryKind::kClip) {
    if (args.bounds > 0) args.alpha = ReadBound(inputs[1], args.bf16_input, args.alpha);
    if (args.bounds > 1) args.beta = ReadBound(inputs[2], args.bf16_input, args.beta);
  }
  for (int64_t at = begin; at < end; at += kPiece) {
    const int64_t n = MinOf(kPiece, end - at);
    const float* x = x_piece;
    if (args.bf16_input) {
      Map(static_cast<const Bf16*>(inputs[0]) + at, x_piece, n, [](Vec v) { return v; });
    } else {
      x = static_cast<const float*>(inputs[0]) + at;
    }
    if (args.bf16_output) {
      Transform(args, x, y_piece, n);
      Map(y_piece, static_cast<Bf16*>(outputs[0]) + at, n, [](Vec v) { return v; });
    } else {
      Transform(args, x, static_cast<float*>(outputs[0]) + at, n);
    }
  }
}

#if defined(__AVX512DQ__)
// The conversion instructions give the lowest integer for all that does not fit.
inline void FloatsToInt64(const float* x, int64_t* y, int64_t n) {
  const __m256 high = _mm256_set1_ps(0x1p63f);
  for (int64_t i = 0; i < n; i += 8) {
    const auto lanes = static_cast<__mmask8>(n - i >= 8 ? 0xff : (1 << (n - i)) - 1);
    const __m256 v = _mm256_maskz_loadu_ps(lanes, x + i);
    __m512i r = _mm512_maskz_cvttps_epi64(_mm256_cmp_ps_mask(v, v, _CMP_ORD_Q), v);
    r = _mm512_mask_mov_epi64(r, _mm256_cmp_ps_mask(v, high, _CMP_GE_OQ), _mm512_set1_epi64(INT64_MAX));
    _mm512_mask_storeu_epi64(y + i, lanes, r);
  }
}
#endif

inline void Cast(const CastArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
                 std::byte* /*scratch*/) {
  const auto cast = [&]<class From, class To>(From, To) {
    Map(static_cast<const From*>(inputs[0]) + begin, static_cast<To*>(outputs[0]) + begin, end - begin,
        [](Vec v) { return v; });
  };
  const auto from = [&](auto to) {
    if (args.from == DType::kFloat32) return cast(float{}, to);
    if (args.from == DType::kBFloat16) return cast(Bf16{}, to);
    return cast(Half{}, to);
  };
  const auto in_vectors = [](DType dtype) {
    return dtype == DType::kFloat32 || dtype == DType::kBFloat16 || dtype == DType::kFloat16;
  };
  if (in_vectors(args.from) && args.to == DType::kFloat32) return from(float{});
  if (in_vectors(args.from) && args.to == DType::kBFloat16) return from(Bf16{});
  if (in_vectors(args.from) && args.to == DType::kFloat16) return from(Half{});
#if defined(__AVX512DQ__)
  if (args.from == DType::kFloat32 && args.to == DType::kInt64) {
    return FloatsToInt64(static_cast<const float*>(inputs[0]) + begin, static_cast<int64_t*>(outputs[0]) + begin,
                         end - begin);
  }
#endif
  CastElements(args, inputs[0], outputs[0], begin, end);
}

}  // namespace
}  // namespace tamis
