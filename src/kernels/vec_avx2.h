// Vec with AVX2 and FMA. Included by vec.h only.
#pragma once

namespace tamis {
namespace {

struct Vec {
  static constexpr int kLanes = 8;
  __m256 v;
};

TAMIS_INLINE __m256i FirstLanes(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

TAMIS_INLINE Vec Set(float x) {
  return {_mm256_set1_ps(x)};
}
TAMIS_INLINE Vec Load(const float* p) {
  return {_mm256_loadu_ps(p)};
}
TAMIS_INLINE Vec LoadPart(const float* p, int n) {
  return {_mm256_maskload_ps(p, FirstLanes(n))};
}
TAMIS_INLINE void Store(float* p, Vec a) {
  _mm256_storeu_ps(p, a.v);
}
TAMIS_INLINE void StorePart(float* p, Vec a, int n) {
  _mm256_maskstore_ps(p, FirstLanes(n), a.v);
}

TAMIS_INLINE Vec Widen(__m128i h) {
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16))};
}
TAMIS_INLINE __m128i Narrow(Vec a) {
  const __m256i u = _mm256_castps_si256(a.v);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
  const __m256i up = _mm256_add_epi32(u, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(a.v, a.v, _CMP_UNORD_Q));
  const __m256i bits = _mm256_blendv_epi8(up, _mm256_or_si256(u, _mm256_set1_epi32(0x400000)), nan);
  const __m256i high = _mm256_srli_epi32(bits, 16);
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(high, high), 0x08);
  return _mm256_castsi256_si128(packed);
}
TAMIS_INLINE Vec Load(const Bf16* p) {
  return Widen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
TAMIS_INLINE Vec LoadPart(const Bf16* p, int n) {
  alignas(16) uint16_t bits[8] = {};
  for (int i = 0; i < n; ++i) bits[i] = p[i].bits;
  return Widen(_mm_load_si128(reinterpret_cast<const __m128i*>(bits)));
}
TAMIS_INLINE void Store(Bf16* p, Vec a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), Narrow(a));
}
TAMIS_INLINE void StorePart(Bf16* p, Vec a, int n) {
  alignas(16) uint16_t bits[8];
  _mm_store_si128(reinterpret_cast<__m128i*>(bits), Narrow(a));
  for (int i = 0; i < n; ++i) p[i].bits = bits[i];
}

TAMIS_INLINE Vec operator+(Vec a, Vec b) {
  return {_mm256_add_ps(a.v, b.v)};
}
TAMIS_INLINE Vec operator-(Vec a, Vec b) {
  return {_mm256_sub_ps(a.v, b.v)};
}
TAMIS_INLINE Vec operator*(Vec a, Vec b) {
  return {_mm256_mul_ps(a.v, b.v)};
}
TAMIS_INLINE Vec operator/(Vec a, Vec b) {
  return {_mm256_div_ps(a.v, b.v)};
}
// 1 / a for a from 1 to the largest finite number; other than a division it may be off by a unit in the last place.
TAMIS_INLINE Vec Reciprocal(Vec a) {
  return {_mm256_div_ps(_mm256_set1_ps(1), a.v)};
}
// a * b + c
TAMIS_INLINE Vec Fma(Vec a, Vec b, Vec c) {
  return {_mm256_fmadd_ps(a.v, b.v, c.v)};
}
// c - a * b
TAMIS_INLINE Vec MinusProduct(Vec a, Vec b, Vec c) {
  return {_mm256_fnmadd_ps(a.v, b.v, c.v)};
}
// A NaN in b wins; one in a does not.
TAMIS_INLINE Vec Max(Vec a, Vec b) {
  return {_mm256_max_ps(a.v, b.v)};
}
TAMIS_INLINE Vec Min(Vec a, Vec b) {
  return {_mm256_min_ps(a.v, b.v)};
}
TAMIS_INLINE Vec Sqrt(Vec a) {
  return {_mm256_sqrt_ps(a.v)};
}
TAMIS_INLINE Vec Abs(Vec a) {
  return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)};
}
TAMIS_INLINE Vec Round(Vec a) {
  return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
// x * 2^n for integral n in [-252, 254], in two steps so that results may be subnormal or overflow
TAMIS_INLINE Vec ScaleByPowerOfTwo(Vec x, Vec n) {
  const __m256i whole = _mm256_cvtps_epi32(n.v);
  const __m256i half = _mm256_srai_epi32(whole, 1);
  const __m256i bias = _mm256_set1_epi32(127);
  const __m256i first = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
  const __m256i second = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(whole, half), bias), 23);
  return {_mm256_mul_ps(_mm256_mul_ps(x.v, _mm256_castsi256_ps(first)), _mm256_castsi256_ps(second))};
}
// 2^(n - 127) of a number whose last bits hold n, from 1 to 254.
TAMIS_INLINE Vec PowerOfLowBits(Vec x) {
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(x.v), 23))};
}
// a < b ? x : y, lane by lane
TAMIS_INLINE Vec IfLess(Vec a, Vec b, Vec x, Vec y) {
  return {_mm256_blendv_ps(y.v, x.v, _mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ))};
}
// The magnitude of a with the sign of b.
TAMIS_INLINE Vec CopySign(Vec a, Vec b) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_or_ps(_mm256_andnot_ps(sign, a.v), _mm256_and_ps(sign, b.v))};
}
TAMIS_INLINE float SumLanes(Vec a) {
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}
TAMIS_INLINE float MaxLane(Vec a) {
  __m128 x = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}

}  // namespace
}  // namespace tamis
