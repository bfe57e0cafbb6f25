// GELU (erf form) on the way to codes, which need it to a fraction of their step: a quadratic on each interval where
// f32 takes a cubic, and without what keeps small numbers exact. Everything here is in the including file's anonymous
// namespaces.
#pragma once

#include <immintrin.h>

#include "src/kernels/gemm/gelu_table.h"

namespace tamis {
namespace {

class CodeGelu {
 public:
  static constexpr float kLeastStep = 2e-4F;  // from code to code: a tenth of it is the largest error

  CodeGelu() = default;
  // Results are multiplied by `factor`.
  explicit CodeGelu(float factor) : factor_(_mm512_set1_ps(factor)) {
    const GeluCodeTable& table = TheGeluCodeTable();
#pragma GCC unroll 3
    for (int i = 0; i < 3; ++i) {
      low_[i] = _mm512_mul_ps(factor_, _mm512_load_ps(table.c[i]));
      high_[i] = _mm512_mul_ps(factor_, _mm512_load_ps(table.c[i] + 16));
    }
  }

  // A NaN stays one.
  __attribute__((always_inline)) __m512 operator()(__m512 x) const {
    const __m512 a = _mm512_min_ps(_mm512_set1_ps(GeluCodeTable::kLast), _mm512_abs_ps(x));
    // The interval's number in the low bits of a sum with 1.5 * 2^23.
    const __m512i index =
        _mm512_castps_si512(_mm512_fmadd_ps(a, _mm512_set1_ps(GeluCodeTable::kPerUnit), _mm512_set1_ps(12582912.F)));
    const auto coefficient = [&](int i) { return _mm512_permutex2var_ps(low_[i], index, high_[i]); };
    const __m512 fall = _mm512_fmadd_ps(_mm512_fmadd_ps(coefficient(2), a, coefficient(1)), a, coefficient(0));
    return _mm512_fmsub_ps(_mm512_max_ps(_mm512_setzero_ps(), x), factor_, fall);
  }

 private:
  __m512 low_[3], high_[3];  // of the table, multiplied
  __m512 factor_;
};

}  // namespace
}  // namespace tamis
