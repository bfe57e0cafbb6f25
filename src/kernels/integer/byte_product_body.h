// Tiles of byte products for the ISA of the including file, which has VNNI.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "src/kernels/integer/byte_product.h"

namespace tamis {
namespace {

#if defined(__AVX512VNNI__)
using Sums = __m512i;
constexpr int64_t kSumLanes = 16;
constexpr int kByteRows = 12;
inline __attribute__((always_inline)) Sums LoadSums(const void* p) {
  return _mm512_loadu_si512(p);
}
inline __attribute__((always_inline)) void StoreSums(void* p, Sums v) {
  _mm512_storeu_si512(p, v);
}
inline __attribute__((always_inline)) Sums AllLanes(int32_t x) {
  return _mm512_set1_epi32(x);
}
inline __attribute__((always_inline)) Sums AddBytes(Sums sums, Sums a, Sums b) {
  return _mm512_dpbusd_epi32(sums, a, b);
}
inline __attribute__((always_inline)) Sums FlipBytes(Sums bytes, Sums flip) {
  return _mm512_xor_si512(bytes, flip);
}
inline __attribute__((always_inline)) Sums LessProduct(Sums sums, Sums x, Sums y) {
  return _mm512_sub_epi32(sums, _mm512_mullo_epi32(x, y));
}
#else
using Sums = __m256i;
constexpr int64_t kSumLanes = 8;
constexpr int kByteRows = 6;
inline __attribute__((always_inline)) Sums LoadSums(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}
inline __attribute__((always_inline)) void StoreSums(void* p, Sums v) {
  _mm256_storeu_si256(static_cast<__m256i*>(p), v);
}
inline __attribute__((always_inline)) Sums AllLanes(int32_t x) {
  return _mm256_set1_epi32(x);
}
inline __attribute__((always_inline)) Sums AddBytes(Sums sums, Sums a, Sums b) {
  return _mm256_dpbusd_avx_epi32(sums, a, b);
}
inline __attribute__((always_inline)) Sums FlipBytes(Sums bytes, Sums flip) {
  return _mm256_xor_si256(bytes, flip);
}
inline __attribute__((always_inline)) Sums LessProduct(Sums sums, Sums x, Sums y) {
  return _mm256_sub_epi32(sums, _mm256_mullo_epi32(x, y));
}
#endif

constexpr int kByteVectors = 2;
constexpr int64_t kBytePanel = kByteVectors * kSumLanes;

template <int kRows>
inline void ByteTile(const ByteTask& task, int64_t first) {
  const int64_t pitch = task.steps * 4;
  const uint8_t* a = task.a + first * pitch;
  Sums sums[kRows][kByteVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kByteVectors; ++v) {
      const Sums from_a =
          LessProduct(AllLanes(0), AllLanes(task.row_zeros[first + r]), LoadSums(task.column_sums + v * kSumLanes));
      sums[r][v] = LessProduct(from_a, AllLanes(task.row_sums[first + r]), LoadSums(task.column_zeros + v * kSumLanes));
    }
  }
  for (int64_t k = 0; k < task.steps; ++k) {
    const int8_t* step = task.panel + k * kBytePanel * 4;
    const Sums b0 = LoadSums(step), b1 = LoadSums(step + kSumLanes * 4);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      int32_t four;
      std::memcpy(&four, a + r * pitch + k * 4, sizeof(four));
      const Sums all = AllLanes(four);
      sums[r][0] = AddBytes(sums[r][0], all, b0);
      sums[r][1] = AddBytes(sums[r][1], all, b1);
    }
  }
  alignas(64) int32_t row[kBytePanel];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    int32_t* c = task.c + (first + r) * task.c_stride;
    int32_t* to = task.columns == kBytePanel ? c : row;
    StoreSums(to, sums[r][0]);
    StoreSums(to + kSumLanes, sums[r][1]);
    if (to == row) std::memcpy(c, row, static_cast<size_t>(task.columns) * sizeof(int32_t));
  }
}

inline void MultiplyBytes(const ByteTask& task) {
  int64_t r = 0;
  for (; r + kByteRows <= task.rows; r += kByteRows) ByteTile<kByteRows>(task, r);
  for (; r + 4 <= task.rows; r += 4) ByteTile<4>(task, r);
  for (; r < task.rows; ++r) ByteTile<1>(task, r);
}

inline int32_t PackByteRow(const uint8_t* from, int64_t depth, uint8_t flip, uint8_t* to) {
  constexpr int64_t kBytes = sizeof(Sums);
  const Sums flips = AllLanes(static_cast<int32_t>(flip * 0x01010101U)), ones = AllLanes(0x01010101);
  Sums sums = AllLanes(0);
  int64_t k = 0;
  for (; k + kBytes <= depth; k += kBytes) {
    const Sums bytes = FlipBytes(LoadSums(from + k), flips);
    StoreSums(to + k, bytes);
    sums = AddBytes(sums, bytes, ones);
  }
  int32_t lanes[kSumLanes];
  StoreSums(lanes, sums);
  int32_t sum = 0;
  for (const int32_t lane : lanes) sum += lane;
  for (; k < depth; ++k) {
    to[k] = from[k] ^ flip;
    sum += to[k];
  }
  for (; k % 4 != 0; ++k) to[k] = 0;
  return sum;
}

constexpr ByteProduct kByteProduct = {kBytePanel, MultiplyBytes, PackByteRow};

}  // namespace
}  // namespace tamis
