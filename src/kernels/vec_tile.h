// C[rows, columns] = A[rows, depth] . B[depth, columns] over Vec, for the small products inside attention and MatMul.
//
// The tile keeps kVecTileRows x kTileVectors accumulators in registers; A's elements are broadcast. B's rows are read
// in whole vectors, so `columns` counts a multiple of kLanes (B padded), and C likewise.
#pragma once

#include "src/kernels/vec.h"

namespace tamis {
namespace {

#if defined(__AVX512F__)
constexpr int kVecTileRows = 6, kTileVectors = 4;
#elif defined(__AVX2__)
constexpr int kVecTileRows = 6, kTileVectors = 2;
#else
constexpr int kVecTileRows = 4, kTileVectors = 2;
#endif

// An element of A times a vector of B. Kernels with other multiplies (bf16 pairs, codes) bring their own policy; sums
// that are whole numbers lie in C's floats as they are.
struct F32Product {
  using A = float;
  using B = float;
  using Sum = Vec;
  static TAMIS_INLINE Vec Zero() { return Set(0); }
  static TAMIS_INLINE void Keep(float* c, Vec sum) { Store(c, sum); }
  static TAMIS_INLINE Vec LoadB(const float* p) { return Load(p); }
  static TAMIS_INLINE Vec MultiplyAdd(float a, Vec b, Vec sum) { return Fma(Set(a), b, sum); }
};

template <class P, int kRows, int kVectors>
inline void Tile(int64_t depth, const typename P::A* a, int64_t a_stride, const typename P::B* b, int64_t b_stride,
                 float* c, int64_t c_stride) {
  typename P::Sum sum[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sum[r][v] = P::Zero();
  }
  for (int64_t k = 0; k < depth; ++k) {
    decltype(P::LoadB(b)) columns[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) columns[v] = P::LoadB(b + k * b_stride + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const typename P::A element = a[r * a_stride + k];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sum[r][v] = P::MultiplyAdd(element, columns[v], sum[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) P::Keep(c + r * c_stride + v * kLanes, sum[r][v]);
  }
}

template <class P, int kVectors>
TAMIS_INLINE void TileOfRows(int64_t rows, int64_t depth, const typename P::A* a, int64_t a_stride,
                             const typename P::B* b, int64_t b_stride, float* c, int64_t c_stride) {
  int64_t r = 0;
  for (; r + kVecTileRows <= rows; r += kVecTileRows) {
    Tile<P, kVecTileRows, kVectors>(depth, a + r * a_stride, a_stride, b, b_stride, c + r * c_stride, c_stride);
  }
  if constexpr (kVecTileRows > 4) {
    if (r + 4 <= rows) {
      Tile<P, 4, kVectors>(depth, a + r * a_stride, a_stride, b, b_stride, c + r * c_stride, c_stride);
      r += 4;
    }
  }
  for (; r + 2 <= rows; r += 2) {
    Tile<P, 2, kVectors>(depth, a + r * a_stride, a_stride, b, b_stride, c + r * c_stride, c_stride);
  }
  if (r < rows) Tile<P, 1, kVectors>(depth, a + r * a_stride, a_stride, b, b_stride, c + r * c_stride, c_stride);
}

template <int kVectors>
struct Vectors {
  static constexpr int value = kVectors;
};

// Strides and depth count elements of P::A and P::B.
template <class P>
inline void MultiplyTiles(int64_t rows, int64_t columns, int64_t depth, const typename P::A* a, int64_t a_stride,
                          const typename P::B* b, int64_t b_stride, float* c, int64_t c_stride) {
  int64_t n = 0, left = columns / kLanes;
  const auto multiply = [&](auto vectors) {
    TileOfRows<P, vectors.value>(rows, depth, a, a_stride, b + n, b_stride, c + n, c_stride);
    n += vectors.value * kLanes;
    left -= vectors.value;
  };
  // One vector alone has too few sums to keep the multipliers busy: the last ones share out what is left.
  while (left >= kTileVectors + 2 || left == kTileVectors) multiply(Vectors<kTileVectors>());
  if constexpr (kTileVectors > 2) {
    if (left == 3 || left == 5) multiply(Vectors<3>());
  }
  while (left >= 2) multiply(Vectors<2>());
  if (left == 1) multiply(Vectors<1>());
}

}  // namespace
}  // namespace tamis
