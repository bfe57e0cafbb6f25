// Elementary functions over Vec that only operators of their name use. Errors were measured as in vec_math.h:
//   Log      2 ulp; subnormals too, -infinity at 0, NaN below
//   Sin, Cos 1e-7 absolute up to 8192 (Cephes' polynomials and reduction); beyond, the C library's
//   Atan     3 ulp (Cephes)
#pragma once

#include <math.h>

#include "src/kernels/vec_math.h"

namespace tamis {
namespace {

#if defined(__AVX512F__)
// x = result * 2^exponent with the result in [1, 2), for x > 0 and finite, subnormals too.
TAMIS_INLINE Vec SplitExponent(Vec x, Vec* exponent) {
  exponent->v = _mm512_getexp_ps(x.v);
  return {_mm512_getmant_ps(x.v, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src)};
}
#elif defined(__AVX2__)
// x = result * 2^exponent with the result in [1, 2), for x > 0 and finite, subnormals too.
TAMIS_INLINE Vec SplitExponent(Vec x, Vec* exponent) {
  const __m256 small = _mm256_cmp_ps(x.v, _mm256_set1_ps(0x1p-126f), _CMP_LT_OQ);
  const __m256i bits = _mm256_castps_si256(_mm256_blendv_ps(x.v, _mm256_mul_ps(x.v, _mm256_set1_ps(0x1p23f)), small));
  const __m256 biased = _mm256_cvtepi32_ps(_mm256_and_si256(_mm256_srli_epi32(bits, 23), _mm256_set1_epi32(0xff)));
  exponent->v = _mm256_sub_ps(biased, _mm256_blendv_ps(_mm256_set1_ps(127.0f), _mm256_set1_ps(127.0f + 23.0f), small));
  const __m256i mantissa = _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffff));
  return {_mm256_castsi256_ps(_mm256_or_si256(mantissa, _mm256_set1_epi32(0x3f800000)))};
}
#else
// x = result * 2^exponent with the result in [1, 2), for x > 0 and finite, subnormals too.
TAMIS_INLINE Vec SplitExponent(Vec x, Vec* exponent) {
  const __m128 small = _mm_cmplt_ps(x.v, _mm_set1_ps(0x1p-126f));
  const __m128i bits = _mm_castps_si128(Choose(small, _mm_mul_ps(x.v, _mm_set1_ps(0x1p23f)), x.v));
  const __m128 biased = _mm_cvtepi32_ps(_mm_and_si128(_mm_srli_epi32(bits, 23), _mm_set1_epi32(0xff)));
  exponent->v = _mm_sub_ps(biased, Choose(small, _mm_set1_ps(127.0f + 23.0f), _mm_set1_ps(127.0f)));
  const __m128i mantissa = _mm_and_si128(bits, _mm_set1_epi32(0x7fffff));
  return {_mm_castsi128_ps(_mm_or_si128(mantissa, _mm_set1_epi32(0x3f800000)))};
}
#endif

// The nearest integer, ties to even; a zero keeps its sign.
TAMIS_INLINE Vec RoundAny(Vec x) {
  return CopySign(IfLess(Abs(x), Set(0x1p23f), Round(Min(Set(0x1p23f), Max(Set(-0x1p23f), x))), x), x);
}
TAMIS_INLINE Vec Floor(Vec x) {
  const Vec nearest = RoundAny(x);
  return CopySign(IfLess(x, nearest, nearest - Set(1.0f), nearest), x);
}
TAMIS_INLINE Vec Ceil(Vec x) {
  const Vec nearest = RoundAny(x);
  return CopySign(IfLess(nearest, x, nearest + Set(1.0f), nearest), x);
}

// With m in [sqrt(1/2), sqrt(2)), log m = 2 atanh(s) for s = (m - 1) / (m + 1), |s| < 0.172, as a series of five terms.
TAMIS_INLINE Vec Log(Vec x) {
  Vec exponent;
  Vec m = SplitExponent(x, &exponent);
  const Vec one = Set(1.0f), root = Set(1.41421356f);
  exponent = IfLess(m, root, exponent, exponent + one);
  m = IfLess(m, root, m, m * Set(0.5f));
  const Vec f = m - one;  // exact
  const Vec s = f / (m + one), z = s * s;
  Vec p = Fma(z, Set(2.0f / 9), Set(2.0f / 7));
  p = Fma(p, z, Set(2.0f / 5));
  p = Fma(p, z, Set(2.0f / 3));
  // 2 s = f - s f, so that the leading term is exact.
  const Vec rest = Fma(p * z, s, Fma(exponent, Set(-2.12194440e-4f), Set(0.0f) - s * f));
  Vec y = Fma(exponent, Set(0.693359375f), f + rest);
  const float infinity = __builtin_inff();
  y = IfLess(Set(0.0f), x, y, IfLess(x, Set(0.0f), Set(__builtin_nanf("")), Set(-infinity)));
  return IfLess(x, Set(infinity), y, x);  // infinity and NaN
}

constexpr float kReducedSine = 8192.0f;  // beyond, what the reduction subtracts is no longer exact

// sin(x + quarters * pi / 2) for |x| <= kReducedSine.
TAMIS_INLINE Vec ReducedSine(Vec x, float quarters) {
  const Vec q = Round(x * Set(0.636619772f));
  Vec r = Fma(q, Set(-1.5703125f), x);  // pi / 2 in three parts, of which q times the first two is exact
  r = Fma(q, Set(-4.837512969970703125e-4f), r);
  r = Fma(q, Set(-7.54978995489188216e-8f), r);
  const Vec z = r * r;
  Vec sine = Fma(z, Set(-1.9515295891e-4f), Set(8.3321608736e-3f));
  sine = Fma(sine, z, Set(-1.6666654611e-1f));
  sine = Fma(sine * z, r, r);
  Vec cosine = Fma(z, Set(2.443315711809948e-5f), Set(-1.388731625493765e-3f));
  cosine = Fma(cosine, z, Set(4.166664568298827e-2f));
  cosine = Fma(cosine, z, Set(-0.5f));
  cosine = Fma(cosine, z, Set(1.0f));
  const Vec turned = q + Set(quarters);
  // turned modulo 4 in [-2, 2], then modulo 2 in [-1, 1].
  const Vec four = Fma(Round(turned * Set(0.25f)), Set(-4.0f), turned);
  const Vec two = Fma(Round(turned * Set(0.5f)), Set(-2.0f), turned);
  const Vec value = IfLess(Abs(two), Set(0.5f), sine, cosine);
  const Vec negative = Set(0.0f) - value;
  // Quarters 2 and -2 turn the sign of the sine, 3 and -1 that of the cosine.
  return IfLess(Abs(four), Set(1.5f), IfLess(four, Set(-0.5f), negative, value), negative);
}
TAMIS_INLINE Vec Sine(Vec x, float quarters, float (*library)(float)) {
  // A NaN goes the library's way as well.
  if (MaxLane(IfLess(Abs(x), Set(kReducedSine), Set(0.0f), Set(1.0f))) == 0.0f) return ReducedSine(x, quarters);
  alignas(64) float lanes[Vec::kLanes];
  Store(lanes, x);
  for (float& lane : lanes) lane = library(lane);
  return Load(lanes);
}
TAMIS_INLINE Vec Sin(Vec x) {
  return Sine(x, 0.0f, ::sinf);
}
TAMIS_INLINE Vec Cos(Vec x) {
  return Sine(x, 1.0f, ::cosf);
}

TAMIS_INLINE Vec Atan(Vec x) {
  const Vec a = Abs(x), one = Set(1.0f);
  const Vec high = Set(2.41421356f), low = Set(0.414213562f);  // tan 3 pi / 8, tan pi / 8
  const Vec reduced = IfLess(high, a, Set(-1.0f) / a, IfLess(low, a, (a - one) / (a + one), a));
  const Vec base = IfLess(high, a, Set(1.57079633f), IfLess(low, a, Set(0.785398163f), Set(0.0f)));
  const Vec z = reduced * reduced;
  Vec p = Fma(z, Set(8.05374449538e-2f), Set(-1.38776856032e-1f));
  p = Fma(p, z, Set(1.99777106478e-1f));
  p = Fma(p, z, Set(-3.33329491539e-1f));
  return CopySign(base + Fma(p * z, reduced, reduced), x);
}

}  // namespace
}  // namespace tamis
