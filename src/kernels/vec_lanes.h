// Some lanes of a vector, the first ones, or none, decided at run time.
#pragma once

#include "src/kernels/vec.h"

namespace tamis {
namespace {

#if defined(__AVX512F__)
struct Lanes {
  __mmask16 mask;
};
// The first n: all for kLanes or more, none for 0 or less.
TAMIS_INLINE Lanes LanesOf(int64_t n) {
  return {static_cast<__mmask16>(n >= kLanes ? 0xffff : n > 0 ? (1 << n) - 1 : 0)};
}
// Those of `lanes`, or none.
TAMIS_INLINE Lanes OrNone(Lanes lanes, bool some) {
  return {static_cast<__mmask16>(lanes.mask & (some ? 0xffff : 0))};
}
// Lanes that are not loaded are zero.
TAMIS_INLINE Vec Load(const float* p, Lanes lanes) {
  return {_mm512_maskz_loadu_ps(lanes.mask, p)};
}
TAMIS_INLINE Vec Load(const Bf16* p, Lanes lanes) {
  return Widen(_mm256_maskz_loadu_epi16(lanes.mask, p));
}
TAMIS_INLINE void Store(float* p, Vec v, Lanes lanes) {
  _mm512_mask_storeu_ps(p, lanes.mask, v.v);
}
TAMIS_INLINE void Store(Bf16* p, Vec v, Lanes lanes) {
  _mm256_mask_storeu_epi16(p, lanes.mask, Narrow(v));
}
#else
struct Lanes {
  int count;
};
TAMIS_INLINE Lanes LanesOf(int64_t n) {
  return {static_cast<int>(MaxOf(0, MinOf(n, kLanes)))};
}
TAMIS_INLINE Lanes OrNone(Lanes lanes, bool some) {
  return {some ? lanes.count : 0};
}
template <class T>
TAMIS_INLINE Vec Load(const T* p, Lanes lanes) {
  return lanes.count == kLanes ? Load(p) : lanes.count == 0 ? Set(0) : LoadPart(p, lanes.count);
}
template <class T>
TAMIS_INLINE void Store(T* p, Vec v, Lanes lanes) {
  if (lanes.count == kLanes) return Store(p, v);
  if (lanes.count > 0) StorePart(p, v, lanes.count);
}
#endif

}  // namespace
}  // namespace tamis
