// Elements of f16 tensors as vectors of f32. F16C converts them on AVX2 and AVX-512; plain x86-64 goes an element at a
// time. As with bf16, rounding is to nearest even and NaNs stay NaNs.
#pragma once

#include "src/kernels/vec.h"

#if !defined(__AVX2__)
#include "src/base/float16.h"
#endif

namespace tamis {
namespace {

struct Half {
  uint16_t bits;
};

#if defined(__AVX512F__)
TAMIS_INLINE Vec Load(const Half* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
TAMIS_INLINE Vec LoadPart(const Half* p, int n) {
  return {_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(FirstLanes(n), p))};
}
TAMIS_INLINE void Store(Half* p, Vec a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT));
}
TAMIS_INLINE void StorePart(Half* p, Vec a, int n) {
  _mm256_mask_storeu_epi16(p, FirstLanes(n), _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT));
}
#elif defined(__AVX2__)
TAMIS_INLINE Vec Load(const Half* p) {
  return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
TAMIS_INLINE Vec LoadPart(const Half* p, int n) {
  alignas(16) uint16_t bits[8] = {};
  for (int i = 0; i < n; ++i) bits[i] = p[i].bits;
  return {_mm256_cvtph_ps(_mm_load_si128(reinterpret_cast<const __m128i*>(bits)))};
}
TAMIS_INLINE void Store(Half* p, Vec a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT));
}
TAMIS_INLINE void StorePart(Half* p, Vec a, int n) {
  alignas(16) uint16_t bits[8];
  _mm_store_si128(reinterpret_cast<__m128i*>(bits), _mm256_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT));
  for (int i = 0; i < n; ++i) p[i].bits = bits[i];
}
#else
TAMIS_INLINE Vec LoadPart(const Half* p, int n) {
  alignas(16) float lanes[4] = {};
  for (int i = 0; i < n; ++i) lanes[i] = HalfToFloat(p[i].bits);
  return {_mm_load_ps(lanes)};
}
TAMIS_INLINE Vec Load(const Half* p) {
  return LoadPart(p, 4);
}
TAMIS_INLINE void StorePart(Half* p, Vec a, int n) {
  alignas(16) float lanes[4];
  _mm_store_ps(lanes, a.v);
  for (int i = 0; i < n; ++i) p[i].bits = FloatToHalf(lanes[i]);
}
TAMIS_INLINE void Store(Half* p, Vec a) {
  StorePart(p, a, 4);
}
#endif

}  // namespace
}  // namespace tamis
