// Rows to columns in registers, over Vec.
#pragma once

#include "src/kernels/vec.h"
#if defined(__AVX512F__)
#include "src/kernels/transpose_fours_avx512.h"
#endif

namespace tamis {
namespace {

// load(r) gives four elements of row r of kLanes; columns[i] are all i-th ones.
template <class Load>
TAMIS_INLINE void TransposeFours(const Load& load, Vec (&columns)[4]) {
#if defined(__AVX512F__)
  __m512 all[4];
  TransposeFours(load, all);
  for (int i = 0; i < 4; ++i) columns[i] = {all[i]};
#elif defined(__AVX2__)
  __m256 four[4];
  for (int i = 0; i < 4; ++i) four[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(load(i)), load(i + 4), 1);
  const __m256d a = _mm256_castps_pd(_mm256_unpacklo_ps(four[0], four[1]));
  const __m256d b = _mm256_castps_pd(_mm256_unpackhi_ps(four[0], four[1]));
  const __m256d c = _mm256_castps_pd(_mm256_unpacklo_ps(four[2], four[3]));
  const __m256d d = _mm256_castps_pd(_mm256_unpackhi_ps(four[2], four[3]));
  columns[0] = {_mm256_castpd_ps(_mm256_unpacklo_pd(a, c))};
  columns[1] = {_mm256_castpd_ps(_mm256_unpackhi_pd(a, c))};
  columns[2] = {_mm256_castpd_ps(_mm256_unpacklo_pd(b, d))};
  columns[3] = {_mm256_castpd_ps(_mm256_unpackhi_pd(b, d))};
#else
  __m128 four[4];
  for (int i = 0; i < 4; ++i) four[i] = load(i);
  _MM_TRANSPOSE4_PS(four[0], four[1], four[2], four[3]);
  for (int i = 0; i < 4; ++i) columns[i] = {four[i]};
#endif
}

// Four elements of each of kLanes rows, `pitch` apart, become four vectors at `to`, `to_pitch` apart: with few
// shuffles, where single elements take as many stores as there are elements.
TAMIS_INLINE void TransposeFour(const float* rows, int64_t pitch, float* to, int64_t to_pitch) {
  Vec columns[4];
  TransposeFours([&](int r) { return _mm_loadu_ps(rows + r * pitch); }, columns);
  for (int i = 0; i < 4; ++i) Store(to + i * to_pitch, columns[i]);
}

}  // namespace
}  // namespace tamis
