// Vec with SSE2, which every x86-64 has. Included by vec.h only.
#pragma once

namespace tamis {
namespace {

struct Vec {
  static constexpr int kLanes = 4;
  __m128 v;
};

TAMIS_INLINE Vec Set(float x) {
  return {_mm_set1_ps(x)};
}
TAMIS_INLINE Vec Load(const float* p) {
  return {_mm_loadu_ps(p)};
}
TAMIS_INLINE Vec LoadPart(const float* p, int n) {
  return {_mm_setr_ps(p[0], n > 1 ? p[1] : 0.0f, n > 2 ? p[2] : 0.0f, 0.0f)};
}
TAMIS_INLINE void Store(float* p, Vec a) {
  _mm_storeu_ps(p, a.v);
}
TAMIS_INLINE void StorePart(float* p, Vec a, int n) {
  alignas(16) float lanes[4];
  _mm_store_ps(lanes, a.v);
  for (int i = 0; i < n; ++i) p[i] = lanes[i];
}

TAMIS_INLINE __m128 Choose(__m128 mask, __m128 x, __m128 y) {
  return _mm_or_ps(_mm_and_ps(mask, x), _mm_andnot_ps(mask, y));
}
TAMIS_INLINE Vec Widen(__m128i low_half) {
  return {_mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), low_half))};
}
// The four results are the low half.
TAMIS_INLINE __m128i Narrow(Vec a) {
  const __m128i u = _mm_castps_si128(a.v);
  const __m128i odd = _mm_and_si128(_mm_srli_epi32(u, 16), _mm_set1_epi32(1));
  const __m128i up = _mm_add_epi32(u, _mm_add_epi32(odd, _mm_set1_epi32(0x7fff)));
  const __m128 quiet = _mm_castsi128_ps(_mm_or_si128(u, _mm_set1_epi32(0x400000)));
  const __m128 bits = Choose(_mm_cmpunord_ps(a.v, a.v), quiet, _mm_castsi128_ps(up));
  const __m128i high = _mm_srai_epi32(_mm_castps_si128(bits), 16);
  return _mm_packs_epi32(high, high);
}
TAMIS_INLINE Vec Load(const Bf16* p) {
  return Widen(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
TAMIS_INLINE Vec LoadPart(const Bf16* p, int n) {
  alignas(16) uint16_t bits[8] = {};
  for (int i = 0; i < n; ++i) bits[i] = p[i].bits;
  return Widen(_mm_load_si128(reinterpret_cast<const __m128i*>(bits)));
}
TAMIS_INLINE void Store(Bf16* p, Vec a) {
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), Narrow(a));
}
TAMIS_INLINE void StorePart(Bf16* p, Vec a, int n) {
  alignas(16) uint16_t bits[8];
  _mm_store_si128(reinterpret_cast<__m128i*>(bits), Narrow(a));
  for (int i = 0; i < n; ++i) p[i].bits = bits[i];
}

TAMIS_INLINE Vec operator+(Vec a, Vec b) {
  return {_mm_add_ps(a.v, b.v)};
}
TAMIS_INLINE Vec operator-(Vec a, Vec b) {
  return {_mm_sub_ps(a.v, b.v)};
}
TAMIS_INLINE Vec operator*(Vec a, Vec b) {
  return {_mm_mul_ps(a.v, b.v)};
}
TAMIS_INLINE Vec operator/(Vec a, Vec b) {
  return {_mm_div_ps(a.v, b.v)};
}
// 1 / a for a from 1 to the largest finite number; other than a division it may be off by a unit in the last place.
TAMIS_INLINE Vec Reciprocal(Vec a) {
  return {_mm_div_ps(_mm_set1_ps(1), a.v)};
}
// a * b + c, rounded twice
TAMIS_INLINE Vec Fma(Vec a, Vec b, Vec c) {
  return a * b + c;
}
// c - a * b
TAMIS_INLINE Vec MinusProduct(Vec a, Vec b, Vec c) {
  return c - a * b;
}
// A NaN in b wins; one in a does not.
TAMIS_INLINE Vec Max(Vec a, Vec b) {
  return {_mm_max_ps(a.v, b.v)};
}
TAMIS_INLINE Vec Min(Vec a, Vec b) {
  return {_mm_min_ps(a.v, b.v)};
}
TAMIS_INLINE Vec Sqrt(Vec a) {
  return {_mm_sqrt_ps(a.v)};
}
TAMIS_INLINE Vec Abs(Vec a) {
  return {_mm_andnot_ps(_mm_set1_ps(-0.0f), a.v)};
}
// |a| must be below 2^31
TAMIS_INLINE Vec Round(Vec a) {
  return {_mm_cvtepi32_ps(_mm_cvtps_epi32(a.v))};
}
// x * 2^n for integral n in [-252, 254], in two steps so that results may be subnormal or overflow
TAMIS_INLINE Vec ScaleByPowerOfTwo(Vec x, Vec n) {
  const __m128i whole = _mm_cvtps_epi32(n.v);
  const __m128i half = _mm_srai_epi32(whole, 1);
  const __m128i bias = _mm_set1_epi32(127);
  const __m128i first = _mm_slli_epi32(_mm_add_epi32(half, bias), 23);
  const __m128i second = _mm_slli_epi32(_mm_add_epi32(_mm_sub_epi32(whole, half), bias), 23);
  return {_mm_mul_ps(_mm_mul_ps(x.v, _mm_castsi128_ps(first)), _mm_castsi128_ps(second))};
}
// 2^(n - 127) of a number whose last bits hold n, from 1 to 254.
TAMIS_INLINE Vec PowerOfLowBits(Vec x) {
  return {_mm_castsi128_ps(_mm_slli_epi32(_mm_castps_si128(x.v), 23))};
}
// a < b ? x : y, lane by lane
TAMIS_INLINE Vec IfLess(Vec a, Vec b, Vec x, Vec y) {
  return {Choose(_mm_cmplt_ps(a.v, b.v), x.v, y.v)};
}
// The magnitude of a with the sign of b.
TAMIS_INLINE Vec CopySign(Vec a, Vec b) {
  const __m128 sign = _mm_set1_ps(-0.0f);
  return {_mm_or_ps(_mm_andnot_ps(sign, a.v), _mm_and_ps(sign, b.v))};
}
TAMIS_INLINE float SumLanes(Vec a) {
  const __m128 x = _mm_add_ps(a.v, _mm_movehl_ps(a.v, a.v));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_shuffle_ps(x, x, 1)));
}
TAMIS_INLINE float MaxLane(Vec a) {
  const __m128 x = _mm_max_ps(a.v, _mm_movehl_ps(a.v, a.v));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_shuffle_ps(x, x, 1)));
}

}  // namespace
}  // namespace tamis
