// One vector of f32 in the widest registers the including file is compiled for, so that a kernel's body is written once
// and compiled for each ISA: kernels/<family>/<family>_body.h holds the body, <isa>/*.cc includes it.
//
// Everything here and in the bodies sits in an anonymous namespace: the linker must never merge code of two ISAs.
// Bodies call no inline function of the standard library for the same reason (a debug build would emit it).
//
// Part variants touch only the first n elements, 0 < n < kLanes; loaded lanes beyond them are zero.
// Rounding to bf16 is to nearest even, keeps subnormals, and NaNs stay NaNs.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#define TAMIS_INLINE inline __attribute__((always_inline))

namespace tamis {
namespace {
// An element of a bf16 tensor.
struct Bf16 {
  uint16_t bits;
};
}  // namespace
}  // namespace tamis

#if defined(__AVX512F__)
#include "src/kernels/vec_avx512.h"
#elif defined(__AVX2__)
#include "src/kernels/vec_avx2.h"
#else
#include "src/kernels/vec_sse2.h"
#endif

namespace tamis {
namespace {

constexpr int64_t kLanes = Vec::kLanes;

TAMIS_INLINE int64_t MinOf(int64_t a, int64_t b) {
  return a < b ? a : b;
}
TAMIS_INLINE int64_t MaxOf(int64_t a, int64_t b) {
  return a > b ? a : b;
}
TAMIS_INLINE int64_t RoundUp(int64_t n, int64_t unit) {
  return (n + unit - 1) / unit * unit;
}

TAMIS_INLINE float ToFloat(float x) {
  return x;
}
TAMIS_INLINE float ToFloat(Bf16 x) {
  return __builtin_bit_cast(float, static_cast<uint32_t>(x.bits) << 16);
}

// Calls full(i) for every whole vector of [0, n), then part(i, rest) for what is left.
template <class Full, class Part>
TAMIS_INLINE void ForVectors(int64_t n, Full full, Part part) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) full(i);
  if (i < n) part(i, static_cast<int>(n - i));
}

// out[i] = f(in[i]); the element types may differ.
template <class In, class Out, class F>
TAMIS_INLINE void Map(const In* in, Out* out, int64_t n, F f) {
  ForVectors(
      n, [&](int64_t i) { Store(out + i, f(Load(in + i))); },
      [&](int64_t i, int rest) { StorePart(out + i, f(LoadPart(in + i, rest)), rest); });
}

}  // namespace
}  // namespace tamis
