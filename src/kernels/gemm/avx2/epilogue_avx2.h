// The epilogue of the AVX2 kernels: bias, residual and activation over the sums of a tile, on the way to y.
// Included by several files of AVX2 folders; everything here is in their anonymous namespaces.
#pragma once

#include <immintrin.h>

#include "src/kernels/gemm/panel.h"

namespace tamis {
namespace {

inline __m256 Set(float value) {
  return _mm256_set1_ps(value);
}

// e^x = 2^n (1 + r + r^2 c(r)): r for a whole n near x / ln 2, and c(r).
inline __m256 ExpRest(__m256 x, __m256 n) {
  return _mm256_fnmadd_ps(n, Set(-2.12194440e-4F), _mm256_fnmadd_ps(n, Set(0.693359375F), x));
}
inline __m256 ExpCurve(__m256 r) {
  __m256 p = Set(1.98756915e-4F);
  p = _mm256_fmadd_ps(p, r, Set(1.39819995e-3F));
  p = _mm256_fmadd_ps(p, r, Set(8.33345190e-3F));
  p = _mm256_fmadd_ps(p, r, Set(4.16657960e-2F));
  p = _mm256_fmadd_ps(p, r, Set(1.66666655e-1F));
  return _mm256_fmadd_ps(p, r, Set(5.00000012e-1F));
}
// v * 2^n by two factors, because 2^n alone overflows for the largest n.
inline __m256 ScaleByPowerOfTwo(__m256 v, __m256 n) {
  const __m256i whole = _mm256_cvtps_epi32(n);
  const __m256i half = _mm256_srai_epi32(whole, 1);
  const auto power = [](__m256i e) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(e, _mm256_set1_epi32(127)), 23));
  };
  return _mm256_mul_ps(_mm256_mul_ps(v, power(half)), power(_mm256_sub_epi32(whole, half)));
}
inline __m256 WholePowers(__m256 x) {
  return _mm256_round_ps(_mm256_mul_ps(x, Set(1.44269504F)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

// e^x, relative error below 2e-7; infinity where it overflows, the smallest normal number where it underflows.
inline __m256 Exp(__m256 x) {
  x = _mm256_min_ps(Set(89), _mm256_max_ps(Set(-87.3365447F), x));
  const __m256 n = WholePowers(x), r = ExpRest(x, n);
  const __m256 p = _mm256_fmadd_ps(ExpCurve(r), _mm256_mul_ps(r, r), _mm256_add_ps(r, Set(1)));
  return ScaleByPowerOfTwo(p, n);
}

// e^x - 1 for x below 88, as exact near 0 as elsewhere.
inline __m256 Expm1(__m256 x) {
  x = _mm256_max_ps(Set(-87.3365447F), x);
  const __m256 n = WholePowers(x), r = ExpRest(x, n);
  const __m256 p = _mm256_fmadd_ps(ExpCurve(r), _mm256_mul_ps(r, r), r);
  return _mm256_add_ps(ScaleByPowerOfTwo(p, n), _mm256_sub_ps(ScaleByPowerOfTwo(Set(1), n), Set(1)));
}

inline __m256 Sigmoid(__m256 x) {
  return _mm256_div_ps(Set(1), _mm256_add_ps(Set(1), Exp(_mm256_sub_ps(_mm256_setzero_ps(), x))));
}

// max(x, 0) - |x| / 2 * erfc(|x| / sqrt(2)), erfc by formula 7.1.26 of Abramowitz and Stegun.
inline __m256 Gelu(__m256 x) {
  const __m256 a = _mm256_andnot_ps(Set(-0.F), x);
  const __m256 t = _mm256_div_ps(Set(1), _mm256_fmadd_ps(a, Set(0.3275911F * 0.70710678F), Set(1)));
  __m256 p = Set(1.061405429F);
  p = _mm256_fmadd_ps(p, t, Set(-1.453152027F));
  p = _mm256_fmadd_ps(p, t, Set(1.421413741F));
  p = _mm256_fmadd_ps(p, t, Set(-0.284496736F));
  p = _mm256_fmadd_ps(p, t, Set(0.254829592F));
  const __m256 e = Exp(_mm256_mul_ps(Set(-0.5F), _mm256_mul_ps(a, a)));
  // Where the exponential is at its floor the product is below rounding; the bound keeps infinity times it finite.
  const __m256 tail =
      _mm256_mul_ps(_mm256_mul_ps(_mm256_min_ps(Set(1e3F), _mm256_mul_ps(Set(0.5F), a)), e), _mm256_mul_ps(p, t));
  return _mm256_sub_ps(_mm256_max_ps(_mm256_setzero_ps(), x), tail);
}

// A NaN stays a NaN: maxima and minima return their second operand then.
inline __m256 Activate(__m256 x, const Epilogue& epilogue) {
  switch (epilogue.activation) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return _mm256_max_ps(_mm256_setzero_ps(), x);
    case Activation::kClip:
      return _mm256_min_ps(Set(epilogue.clip_max), _mm256_max_ps(Set(epilogue.clip_min), x));
    case Activation::kGelu:
      return Gelu(x);
    case Activation::kGeluTanh: {  // 0.5 (1 + tanh(z)) = sigmoid(2 z)
      const __m256 cubic = _mm256_fmadd_ps(_mm256_mul_ps(x, x), Set(0.044715F), Set(1));
      return _mm256_mul_ps(x, Sigmoid(_mm256_mul_ps(_mm256_mul_ps(x, cubic), Set(1.59576912F))));
    }
    case Activation::kSilu:
      return _mm256_mul_ps(x, Sigmoid(x));
    case Activation::kHardSwish: {
      const __m256 ramp = _mm256_fmadd_ps(x, Set(1.F / 6), Set(0.5F));
      return _mm256_mul_ps(x, _mm256_min_ps(Set(1), _mm256_max_ps(_mm256_setzero_ps(), ramp)));
    }
    case Activation::kSigmoid:
      return Sigmoid(x);
    case Activation::kTanh: {  // e / (e + 2) with e = e^(2x) - 1; beyond 10 it rounds to 1
      x = _mm256_min_ps(Set(10), _mm256_max_ps(Set(-10), x));
      const __m256 e = Expm1(_mm256_add_ps(x, x));
      return _mm256_div_ps(e, _mm256_add_ps(e, Set(2)));
    }
    case Activation::kLeakyRelu:
      return _mm256_blendv_ps(x, _mm256_mul_ps(Set(epilogue.alpha), x), x);
    case Activation::kElu:
      return _mm256_blendv_ps(x, _mm256_mul_ps(Set(epilogue.alpha), Expm1(_mm256_min_ps(_mm256_setzero_ps(), x))), x);
    case Activation::kHardSigmoid: {
      const __m256 ramp = _mm256_fmadd_ps(x, Set(epilogue.alpha), Set(epilogue.beta));
      return _mm256_min_ps(Set(1), _mm256_max_ps(_mm256_setzero_ps(), ramp));
    }
    case Activation::kSwish:
      return _mm256_mul_ps(x, Sigmoid(_mm256_mul_ps(Set(epilogue.alpha), x)));
    case Activation::kMish: {  // x n / (n + 2) with n = e^x (e^x + 2); from 20 on it rounds to x, below -100 to 0
      x = _mm256_max_ps(Set(-100), x);
      const __m256 e = Exp(_mm256_min_ps(Set(20), x));
      const __m256 n = _mm256_mul_ps(e, _mm256_add_ps(e, Set(2)));
      return _mm256_mul_ps(x, _mm256_div_ps(n, _mm256_add_ps(n, Set(2))));
    }
  }
  return x;
}

// Adds `count` elements of f32 or bf16 to sums.
inline void Add(const void* data, bool bf16, int64_t at, int count, float* sums) {
  if (!bf16) {
    for (int i = 0; i < count; ++i) sums[i] += static_cast<const float*>(data)[at + i];
    return;
  }
  for (int i = 0; i < count; ++i) {
    const auto bits = static_cast<int>(static_cast<unsigned>(static_cast<const uint16_t*>(data)[at + i]) << 16);
    sums[i] += _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(bits)));
  }
}

// `count` elements of f32 to f32 or, rounded to nearest even, bf16.
inline void Store(const float* values, int count, void* data, bool bf16, int64_t at) {
  if (!bf16) {
    for (int i = 0; i < count; ++i) static_cast<float*>(data)[at + i] = values[i];
    return;
  }
  for (int i = 0; i < count; ++i) {
    const auto bits = static_cast<unsigned>(_mm_cvtsi128_si32(_mm_castps_si128(_mm_set_ss(values[i]))));
    const bool nan = (bits & 0x7fffffffU) > 0x7f800000U;
    const unsigned rounded = nan ? (bits >> 16) | 0x40 : (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    static_cast<uint16_t*>(data)[at + i] = static_cast<uint16_t>(rounded);
  }
}

// Writes rows [first_row, first_row + rows) of y from their sums, [rows][PackedPanels::kLanes]; sums are used up.
inline void Finish(const PanelTask& task, int64_t first_row, int rows, float* sums) {
  for (int r = 0; r < rows; ++r, sums += PackedPanels::kLanes) {
    const int64_t at = (first_row + r) * task.y_pitch;
    if (task.bias != nullptr) Add(task.bias, false, 0, task.lanes, sums);
    if (task.residual != nullptr) Add(task.residual, task.residual_bf16, at, task.lanes, sums);
    for (int64_t i = 0; i < PackedPanels::kLanes; i += 8) {
      _mm256_store_ps(sums + i, Activate(_mm256_load_ps(sums + i), *task.epilogue));
    }
    Store(sums, task.lanes, task.y, task.y_bf16, at);
  }
}

}  // namespace
}  // namespace tamis
