// Tiles of integer products for the ISA of the including file.
#pragma once

#include <immintrin.h>

#include "src/kernels/integer/integer_product.h"

namespace tamis {
namespace {

#if defined(__AVX512BW__)
using Lanes32 = __m512i;
inline __attribute__((always_inline)) Lanes32 ZeroLanes() {
  return _mm512_setzero_si512();
}
inline __attribute__((always_inline)) Lanes32 LoadLanes(const int32_t* p) {
  return _mm512_loadu_si512(p);
}
inline __attribute__((always_inline)) void StoreLanes(int32_t* p, Lanes32 v) {
  _mm512_storeu_si512(p, v);
}
inline __attribute__((always_inline)) Lanes32 AddPairs(Lanes32 sum, int32_t a, Lanes32 b) {
  return _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_set1_epi32(a), b));
}
constexpr int64_t kPairLanes = 16;
constexpr int kProductRows = 6;
#elif defined(__AVX2__)
using Lanes32 = __m256i;
inline __attribute__((always_inline)) Lanes32 ZeroLanes() {
  return _mm256_setzero_si256();
}
inline __attribute__((always_inline)) Lanes32 LoadLanes(const int32_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline __attribute__((always_inline)) void StoreLanes(int32_t* p, Lanes32 v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v);
}
inline __attribute__((always_inline)) Lanes32 AddPairs(Lanes32 sum, int32_t a, Lanes32 b) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_set1_epi32(a), b));
}
constexpr int64_t kPairLanes = 8;
constexpr int kProductRows = 4;
#else
using Lanes32 = __m128i;
inline __attribute__((always_inline)) Lanes32 ZeroLanes() {
  return _mm_setzero_si128();
}
inline __attribute__((always_inline)) Lanes32 LoadLanes(const int32_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
inline __attribute__((always_inline)) void StoreLanes(int32_t* p, Lanes32 v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v);
}
inline __attribute__((always_inline)) Lanes32 AddPairs(Lanes32 sum, int32_t a, Lanes32 b) {
  return _mm_add_epi32(sum, _mm_madd_epi16(_mm_set1_epi32(a), b));
}
constexpr int64_t kPairLanes = 4;
constexpr int kProductRows = 4;
#endif

constexpr int kPanelVectors = 2;
constexpr int64_t kPairPanel = kPanelVectors * kPairLanes;

template <int kRows>
inline void PairTile(int64_t columns, int64_t pairs, const int32_t* a, const int32_t* panel, int32_t* c,
                     int64_t c_stride) {
  Lanes32 sums[kRows][kPanelVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kPanelVectors; ++v) sums[r][v] = ZeroLanes();
  }
  for (int64_t k = 0; k < pairs; ++k) {
    Lanes32 b[kPanelVectors];
    for (int v = 0; v < kPanelVectors; ++v) b[v] = LoadLanes(panel + k * kPairPanel + v * kPairLanes);
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kPanelVectors; ++v) sums[r][v] = AddPairs(sums[r][v], a[r * pairs + k], b[v]);
    }
  }
  alignas(64) int32_t row[kPairPanel];
  for (int r = 0; r < kRows; ++r) {
    int32_t* to = columns == kPairPanel ? c + r * c_stride : row;
    for (int v = 0; v < kPanelVectors; ++v) StoreLanes(to + v * kPairLanes, sums[r][v]);
    for (int64_t i = 0; to == row && i < columns; ++i) c[r * c_stride + i] = row[i];
  }
}

inline void MultiplyPairs(int64_t rows, int64_t columns, int64_t pairs, const int32_t* a, const int32_t* panel,
                          int32_t* c, int64_t c_stride) {
  int64_t r = 0;
  for (; r + kProductRows <= rows; r += kProductRows) {
    PairTile<kProductRows>(columns, pairs, a + r * pairs, panel, c + r * c_stride, c_stride);
  }
  for (; r < rows; ++r) PairTile<1>(columns, pairs, a + r * pairs, panel, c + r * c_stride, c_stride);
}

constexpr IntegerProduct kIntegerProduct = {kPairPanel, MultiplyPairs};

}  // namespace
}  // namespace tamis
