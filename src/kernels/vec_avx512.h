// Vec with AVX-512 F, BW, DQ and VL. Included by vec.h only.
#pragma once

namespace tamis {
namespace {

struct Vec {
  static constexpr int kLanes = 16;
  __m512 v;
};

TAMIS_INLINE __mmask16 FirstLanes(int n) {
  return static_cast<__mmask16>((1u << n) - 1);
}

TAMIS_INLINE Vec Set(float x) {
  return {_mm512_set1_ps(x)};
}
TAMIS_INLINE Vec Load(const float* p) {
  return {_mm512_loadu_ps(p)};
}
TAMIS_INLINE Vec LoadPart(const float* p, int n) {
  return {_mm512_maskz_loadu_ps(FirstLanes(n), p)};
}
TAMIS_INLINE void Store(float* p, Vec a) {
  _mm512_storeu_ps(p, a.v);
}
TAMIS_INLINE void StorePart(float* p, Vec a, int n) {
  _mm512_mask_storeu_ps(p, FirstLanes(n), a.v);
}

TAMIS_INLINE Vec Widen(__m256i h) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16))};
}
TAMIS_INLINE __m256i Narrow(Vec a) {
  const __m512i u = _mm512_castps_si512(a.v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
  const __m512i up = _mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __mmask16 nan = _mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q);
  const __m512i bits = _mm512_mask_or_epi32(up, nan, u, _mm512_set1_epi32(0x400000));
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(bits, 16));
}
TAMIS_INLINE Vec Load(const Bf16* p) {
  return Widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
TAMIS_INLINE Vec LoadPart(const Bf16* p, int n) {
  return Widen(_mm256_maskz_loadu_epi16(FirstLanes(n), p));
}
TAMIS_INLINE void Store(Bf16* p, Vec a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), Narrow(a));
}
TAMIS_INLINE void StorePart(Bf16* p, Vec a, int n) {
  _mm256_mask_storeu_epi16(p, FirstLanes(n), Narrow(a));
}

TAMIS_INLINE Vec operator+(Vec a, Vec b) {
  return {_mm512_add_ps(a.v, b.v)};
}
TAMIS_INLINE Vec operator-(Vec a, Vec b) {
  return {_mm512_sub_ps(a.v, b.v)};
}
TAMIS_INLINE Vec operator*(Vec a, Vec b) {
  return {_mm512_mul_ps(a.v, b.v)};
}
TAMIS_INLINE Vec operator/(Vec a, Vec b) {
  return {_mm512_div_ps(a.v, b.v)};
}
// 1 / a for a from 1 to the largest finite number; other than a division it may be off by a unit in the last place.
TAMIS_INLINE Vec Reciprocal(Vec a) {
  // A step of Newton's from 14 bits: half of a division's cycles.
  const __m512 r = _mm512_rcp14_ps(a.v);
  return {_mm512_fmadd_ps(_mm512_fnmadd_ps(a.v, r, _mm512_set1_ps(1)), r, r)};
}
// a * b + c
TAMIS_INLINE Vec Fma(Vec a, Vec b, Vec c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
// c - a * b
TAMIS_INLINE Vec MinusProduct(Vec a, Vec b, Vec c) {
  return {_mm512_fnmadd_ps(a.v, b.v, c.v)};
}
// A NaN in b wins; one in a does not.
TAMIS_INLINE Vec Max(Vec a, Vec b) {
  return {_mm512_max_ps(a.v, b.v)};
}
TAMIS_INLINE Vec Min(Vec a, Vec b) {
  return {_mm512_min_ps(a.v, b.v)};
}
TAMIS_INLINE Vec Sqrt(Vec a) {
  return {_mm512_sqrt_ps(a.v)};
}
TAMIS_INLINE Vec Abs(Vec a) {
  return {_mm512_abs_ps(a.v)};
}
TAMIS_INLINE Vec Round(Vec a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
// x * 2^n for integral n
TAMIS_INLINE Vec ScaleByPowerOfTwo(Vec x, Vec n) {
  return {_mm512_scalef_ps(x.v, n.v)};
}
// 2^(n - 127) of a number whose last bits hold n, from 1 to 254.
TAMIS_INLINE Vec PowerOfLowBits(Vec x) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(x.v), 23))};
}
// a < b ? x : y, lane by lane
TAMIS_INLINE Vec IfLess(Vec a, Vec b, Vec x, Vec y) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ), y.v, x.v)};
}
// The magnitude of a with the sign of b.
TAMIS_INLINE Vec CopySign(Vec a, Vec b) {
  const __m512 sign = _mm512_set1_ps(-0.0f);
  return {_mm512_or_ps(_mm512_andnot_ps(sign, a.v), _mm512_and_ps(sign, b.v))};
}
TAMIS_INLINE float SumLanes(Vec a) {
  return _mm512_reduce_add_ps(a.v);
}
TAMIS_INLINE float MaxLane(Vec a) {
  return _mm512_reduce_max_ps(a.v);
}

}  // namespace
}  // namespace tamis
