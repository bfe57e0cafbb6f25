// The epilogue of the AVX-512 kernels: bias, residual and activation over the sums of a tile, on the way to y.
// Included by several files of this folder; everything here is in their anonymous namespaces.
#pragma once

#include <immintrin.h>

#include "src/kernels/gemm/gelu_table.h"
#include "src/kernels/gemm/panel.h"
#include "src/kernels/gemm/tile_walk.h"
#include "src/kernels/with_activation.h"

namespace tamis {
namespace {

// e^x = 2^n (1 + r + r^2 c(r)): r for a whole n near x / ln 2, and c(r).
inline __m512 ExpRest(__m512 x, __m512 n) {
  const __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375F), x);
  return _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4F), r);
}
inline __m512 ExpCurve(__m512 r) {
  __m512 p = _mm512_set1_ps(1.98756915e-4F);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.39819995e-3F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.33345190e-3F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.16657960e-2F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.66666655e-1F));
  return _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.00000012e-1F));
}

// e^x, relative error below 2e-7; 0 and infinity beyond the range of float.
inline __m512 Exp(__m512 x) {
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504F)), _MM_FROUND_TO_NEAREST_INT);
  const __m512 r = ExpRest(x, n);
  const __m512 p = _mm512_fmadd_ps(ExpCurve(r), _mm512_mul_ps(r, r), _mm512_add_ps(r, _mm512_set1_ps(1)));
  return _mm512_scalef_ps(p, n);
}

// e^x - 1 for x below 88, as exact near 0 as elsewhere.
inline __m512 Expm1(__m512 x) {
  const __m512 one = _mm512_set1_ps(1);
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504F)), _MM_FROUND_TO_NEAREST_INT);
  const __m512 r = ExpRest(x, n);
  const __m512 p = _mm512_fmadd_ps(ExpCurve(r), _mm512_mul_ps(r, r), r);
  return _mm512_add_ps(_mm512_scalef_ps(p, n), _mm512_sub_ps(_mm512_scalef_ps(one, n), one));
}

// 1 / x for x from 1 to the largest finite number: a step of Newton's from 14 bits, half of a division's cycles.
inline __m512 Reciprocal(__m512 x) {
  const __m512 r = _mm512_rcp14_ps(x);
  return _mm512_fmadd_ps(_mm512_fnmadd_ps(x, r, _mm512_set1_ps(1)), r, r);
}

inline __m512 Sigmoid(__m512 x) {
  // Below -87 the exponential would be subnormal, above 88 infinite; a NaN is the second operand of both.
  const __m512 bounded = _mm512_max_ps(_mm512_set1_ps(-87), _mm512_sub_ps(_mm512_setzero_ps(), x));
  return Reciprocal(_mm512_add_ps(_mm512_set1_ps(1), Exp(_mm512_min_ps(_mm512_set1_ps(88), bounded))));
}

// The coefficients of GeluTable in registers.
struct GeluRegisters {
  __m512 low[4];
  __m512 high[4];
};
inline GeluRegisters LoadGelu() {
  const GeluTable& table = TheGeluTable();
  GeluRegisters registers;
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    registers.low[i] = _mm512_load_ps(table.c[i]);
    registers.high[i] = _mm512_load_ps(table.c[i] + 16);
  }
  return registers;
}

inline __m512 Gelu(__m512 x, const GeluRegisters& table) {
  const __m512 a = _mm512_min_ps(_mm512_set1_ps(GeluTable::kEnd - 1e-5F), _mm512_abs_ps(x));
  const __m512 half = _mm512_set1_ps(0.5F);
  // Interval number a / width - 1/2, rounded to an integer in the low bits of a float of this magnitude.
  const __m512 magic = _mm512_set1_ps(12582912.F);  // 1.5 * 2^23
  const __m512 scaled = _mm512_fmsub_ps(a, _mm512_set1_ps(GeluTable::kIntervals / GeluTable::kEnd), half);
  const __m512 rounded = _mm512_add_ps(scaled, magic);
  const __m512i index = _mm512_castps_si512(rounded);
  const __m512 u = _mm512_sub_ps(scaled, _mm512_sub_ps(rounded, magic));
  const auto coefficient = [&](int i) { return _mm512_permutex2var_ps(table.low[i], index, table.high[i]); };
  __m512 t = _mm512_fmadd_ps(coefficient(3), u, coefficient(2));
  t = _mm512_fmadd_ps(t, u, coefficient(1));
  t = _mm512_fmadd_ps(t, u, coefficient(0));
  return _mm512_fnmadd_ps(a, t, _mm512_max_ps(_mm512_setzero_ps(), x));  // max(0, NaN) is its second operand
}

// One activation over whole vectors; a NaN stays a NaN.
template <Activation kActivation>
inline __m512 Activate(__m512 x, const Epilogue& epilogue, const GeluRegisters& gelu) {
  const __m512 one = _mm512_set1_ps(1);
  if constexpr (kActivation == Activation::kRelu) return _mm512_max_ps(_mm512_setzero_ps(), x);
  if constexpr (kActivation == Activation::kClip) {
    return _mm512_min_ps(_mm512_set1_ps(epilogue.clip_max), _mm512_max_ps(_mm512_set1_ps(epilogue.clip_min), x));
  }
  if constexpr (kActivation == Activation::kGelu) return Gelu(x, gelu);
  if constexpr (kActivation == Activation::kGeluTanh) {
    // 0.5 (1 + tanh(z)) = sigmoid(2 z)
    const __m512 cubic = _mm512_fmadd_ps(_mm512_mul_ps(x, x), _mm512_set1_ps(0.044715F), one);
    return _mm512_mul_ps(x, Sigmoid(_mm512_mul_ps(_mm512_mul_ps(x, cubic), _mm512_set1_ps(1.59576912F))));
  }
  if constexpr (kActivation == Activation::kSilu) return _mm512_mul_ps(x, Sigmoid(x));
  if constexpr (kActivation == Activation::kHardSwish) {
    const __m512 ramp = _mm512_fmadd_ps(x, _mm512_set1_ps(1.F / 6), _mm512_set1_ps(0.5F));
    return _mm512_mul_ps(x, _mm512_min_ps(one, _mm512_max_ps(_mm512_setzero_ps(), ramp)));
  }
  if constexpr (kActivation == Activation::kSigmoid) return Sigmoid(x);
  if constexpr (kActivation == Activation::kTanh) {
    // e / (e + 2) with e = e^(2x) - 1; beyond 10 it rounds to 1. Both keep a NaN, which is their second operand.
    const __m512 bounded = _mm512_min_ps(_mm512_set1_ps(10), _mm512_max_ps(_mm512_set1_ps(-10), x));
    const __m512 e = Expm1(_mm512_add_ps(bounded, bounded));
    return _mm512_mul_ps(e, Reciprocal(_mm512_add_ps(e, _mm512_set1_ps(2))));
  }
  const __mmask16 negative = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
  const __m512 alpha = _mm512_set1_ps(epilogue.alpha);
  if constexpr (kActivation == Activation::kLeakyRelu) return _mm512_mask_mul_ps(x, negative, alpha, x);
  if constexpr (kActivation == Activation::kElu) {
    return _mm512_mask_mul_ps(x, negative, alpha, Expm1(_mm512_max_ps(_mm512_set1_ps(-104), x)));
  }
  if constexpr (kActivation == Activation::kHardSigmoid) {
    const __m512 ramp = _mm512_fmadd_ps(x, alpha, _mm512_set1_ps(epilogue.beta));
    return _mm512_min_ps(one, _mm512_max_ps(_mm512_setzero_ps(), ramp));
  }
  if constexpr (kActivation == Activation::kSwish) return _mm512_mul_ps(x, Sigmoid(_mm512_mul_ps(alpha, x)));
  if constexpr (kActivation == Activation::kMish) {  // x n / (n + 2) with n = e^x (e^x + 2); from 20 on it rounds to x
    const __m512 e = Exp(_mm512_min_ps(_mm512_set1_ps(20), x));
    const __m512 n = _mm512_mul_ps(e, _mm512_add_ps(e, _mm512_set1_ps(2)));
    return _mm512_mul_ps(x, _mm512_mul_ps(n, Reciprocal(_mm512_add_ps(n, _mm512_set1_ps(2)))));
  }
  return x;
}

// The first lanes of a register; all for 16 or more, none for 0 or less.
inline __mmask16 MaskOfLanes(int64_t lanes) {
  return static_cast<__mmask16>(lanes >= 16 ? 0xffff : lanes > 0 ? (1 << lanes) - 1 : 0);
}

inline __m512 LoadBf16(const void* data, __mmask16 mask) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, data)), 16));
}

// Rounds to nearest even; with `kNative` by the instruction of AVX512_BF16.
template <bool kNative>
inline void StoreBf16(void* data, __mmask16 mask, __m512 v) {
  if constexpr (kNative) return _mm256_mask_storeu_epi16(data, mask, (__m256i)_mm512_cvtneps_pbh(v));
  const __m512i bits = _mm512_castps_si512(v);
  const __m512i odd = _mm512_and_epi32(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16);
  const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
  rounded = _mm512_mask_or_epi32(rounded, nan, _mm512_srli_epi32(bits, 16), _mm512_set1_epi32(0x40));
  _mm256_mask_storeu_epi16(data, mask, _mm512_cvtepi32_epi16(rounded));
}

// The sums of sixteen outputs, the first or second half of a panel, where `order` may tell their lanes.
inline __m512 SumsOf(const float* sums, int half, const int32_t* order) {
  if (order == nullptr) return _mm512_loadu_ps(sums + half * 16);
  const __m512i lanes = _mm512_loadu_si512(order + half * 16);
  return _mm512_permutex2var_ps(_mm512_loadu_ps(sums), lanes, _mm512_loadu_ps(sums + 16));
}

// What a store to y might alias is held in locals, or every element would load it again.
template <Activation kActivation, bool kNativeBf16>
void FinishRows(const PanelTask& task, int64_t first_row, int rows, const float* sums) {
  GeluRegisters gelu;
  if constexpr (kActivation == Activation::kGelu) gelu = LoadGelu();
  const Epilogue epilogue = *task.epilogue;
  const void* const residual = task.residual;
  void* const y = task.y;
  const bool residual_bf16 = task.residual_bf16;
  const bool y_bf16 = task.y_bf16;
  const int64_t pitch = task.y_pitch;
  for (int half = 0; half * 16 < task.lanes; ++half) {
    const __mmask16 mask = MaskOfLanes(task.lanes - half * 16);
    const __m512 bias = task.bias != nullptr ? _mm512_maskz_loadu_ps(mask, task.bias + half * 16) : _mm512_setzero_ps();
    for (int r = 0; r < rows; ++r) {
      const int64_t at = (first_row + r) * pitch + half * 16;
      __m512 v = _mm512_add_ps(SumsOf(sums + r * PackedPanels::kLanes, half, task.order), bias);
      if (residual != nullptr) {
        v = _mm512_add_ps(v, residual_bf16 ? LoadBf16(static_cast<const uint16_t*>(residual) + at, mask)
                                           : _mm512_maskz_loadu_ps(mask, static_cast<const float*>(residual) + at));
      }
      v = Activate<kActivation>(v, epilogue, gelu);
      if (y_bf16) {
        StoreBf16<kNativeBf16>(static_cast<uint16_t*>(y) + at, mask, v);
      } else {
        _mm512_mask_storeu_ps(static_cast<float*>(y) + at, mask, v);
      }
    }
  }
}

// Writes rows [first_row, first_row + rows) of y from their sums, [rows][PackedPanels::kLanes].
template <bool kNativeBf16>
inline void Finish(const PanelTask& task, int64_t first_row, int rows, const float* sums) {
  WithActivation(task.epilogue->activation,
                 [&](auto activation) { FinishRows<activation, kNativeBf16>(task, first_row, rows, sums); });
}

}  // namespace
}  // namespace tamis
