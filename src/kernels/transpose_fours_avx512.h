// Rows of four floats to columns in registers, with AVX-512.
#pragma once

#include <immintrin.h>

namespace tamis {
namespace {

// load(r) gives four elements of row r of sixteen; columns[i] are the sixteen i-th ones. Rows four apart meet in one
// register on their way from memory, so that eight shuffles are left.
template <class Load>
[[gnu::always_inline]] inline void TransposeFours(const Load& load, __m512 (&columns)[4]) {
  __m512 four[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    four[i] = _mm512_insertf32x4(_mm512_castps128_ps512(load(i)), load(i + 4), 1);
    four[i] = _mm512_insertf32x4(four[i], load(i + 8), 2);
    four[i] = _mm512_insertf32x4(four[i], load(i + 12), 3);
  }
  const __m512d a = _mm512_castps_pd(_mm512_unpacklo_ps(four[0], four[1]));
  const __m512d b = _mm512_castps_pd(_mm512_unpackhi_ps(four[0], four[1]));
  const __m512d c = _mm512_castps_pd(_mm512_unpacklo_ps(four[2], four[3]));
  const __m512d d = _mm512_castps_pd(_mm512_unpackhi_ps(four[2], four[3]));
  columns[0] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
  columns[1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
  columns[2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
  columns[3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
}

}  // namespace
}  // namespace tamis
