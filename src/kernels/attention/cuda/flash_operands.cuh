// What attention in one pass does differently for each type of its operands: where rows lie in shared memory, how
// fragments are read from there, which product is made of them.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "src/kernels/attention/cuda/flash_attention.h"
#include "src/kernels/cuda/mma.cuh"

namespace tamis::cuda {

template <FlashType kType>
__device__ __forceinline__ uint32_t PackTwo(float a, float b) {
  if constexpr (kType == FlashType::kBf16) {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(a, b);
    return *reinterpret_cast<const uint32_t*>(&pair);
  } else {
    const __half2 pair = __floats2half2_rn(a, b);
    return *reinterpret_cast<const uint32_t*>(&pair);
  }
}

// Rows of kRowBytes in chunks of 16 bytes, swizzled so that the eight rows of a matrix don't share banks. Rows begin on
// multiples of kRowBytes, and the d-th pair of chunks of a row is two chunks on: as chunks are swizzled, what differs
// is bits of their numbers, and an address ^ (d * 32) is that of the d-th pair.
template <int kBytes>
struct FlashRowsInShared {
  static constexpr int kRowBytes = kBytes, kPairs = kBytes / 32;
  using Query = uint32_t[kPairs][4];
  static __device__ __forceinline__ int ChunkAt(int row, int chunk) {
    constexpr int kChunks = kBytes / 16;
    const int swizzle = kChunks == 4 ? row / 2 % 4 : row % 8;
    return row * kChunks + (chunk ^ swizzle);
  }
  // This lane's row of the first matrices of keys, in bytes.
  static __device__ __forceinline__ int KeyLane(int lane) {
    return ChunkAt(lane / 16 * 8 + lane % 8, lane / 8 % 2) * 16;
  }
  // This lane's part of the 16 rows of queries at `rows`.
  static __device__ __forceinline__ void LoadQueryBits(Query& query, uint32_t rows, int lane) {
#pragma unroll
    for (int d = 0; d < kPairs; ++d) LoadMatrices(query[d], rows + ChunkAt(lane % 16, d * 2 + lane / 16) * 16);
  }
  // Calls multiply(block of 8 keys, pair of chunks, b0, b1) for each of the step's products.
  template <int kKeys, class F>
  static __device__ __forceinline__ void ForKeys(uint32_t keys, F&& multiply) {
#pragma unroll
    for (int d = 0; d < kPairs; ++d) {
#pragma unroll
      for (int j = 0; j < kKeys / 16; ++j) {
        uint32_t b[4];
        LoadMatrices(b, (keys ^ (d * 32)) + j * 16 * kRowBytes);
        multiply(2 * j, d, b[0], b[1]);
        multiply(2 * j + 1, d, b[2], b[3]);
      }
    }
  }
};

// f16 and bf16: a pair of chunks is the depth of a product.
template <FlashType kType, int kDepth>
struct FlashOperands : FlashRowsInShared<kDepth * 2> {
  using Rows = FlashRowsInShared<kDepth * 2>;
  using Element = uint16_t;
  static constexpr bool kBf16 = kType == FlashType::kBf16;
  static __device__ __forceinline__ int ValueChunkAt(int row, int chunk) { return Rows::ChunkAt(row, chunk); }
  static __device__ __forceinline__ int ValueLane(int lane) { return Rows::ChunkAt(lane % 16, lane / 16) * 16; }
  static __device__ __forceinline__ void LoadQuery(typename Rows::Query& query, uint32_t rows, int lane) {
    Rows::LoadQueryBits(query, rows, lane);
  }
  template <int kBlocks>
  static __device__ __forceinline__ void AddScores(float (&scores)[kBlocks][4], const typename Rows::Query& query,
                                                   uint32_t keys) {
    Rows::template ForKeys<kBlocks * 8>(
        keys, [&](int block, int d, uint32_t b0, uint32_t b1) { MultiplyAdd<kBf16>(scores[block], query[d], b0, b1); });
  }
  template <int kBlocks>
  static __device__ __forceinline__ void AddSums(float (&sums)[kDepth / 8][4], const float (&scores)[kBlocks][4],
                                                 uint32_t values) {
#pragma unroll
    for (int j = 0; j < kBlocks / 2; ++j) {
      const uint32_t weights[4] = {PackTwo<kType>(scores[2 * j][0], scores[2 * j][1]),
                                   PackTwo<kType>(scores[2 * j][2], scores[2 * j][3]),
                                   PackTwo<kType>(scores[2 * j + 1][0], scores[2 * j + 1][1]),
                                   PackTwo<kType>(scores[2 * j + 1][2], scores[2 * j + 1][3])};
#pragma unroll
      for (int d = 0; d < kDepth / 16; ++d) {
        uint32_t b[4];
        LoadMatricesTransposed(b, (values ^ (d * 32)) + j * 16 * Rows::kRowBytes);
        MultiplyAdd<kBf16>(sums[2 * d], weights, b[0], b[1]);
        MultiplyAdd<kBf16>(sums[2 * d + 1], weights, b[2], b[3]);
      }
    }
  }
};

// f32 of which tf32 is multiplied. Queries and weights are rounded to it, keys and values cut off by the instruction,
// as warpgroup products do with all they read. A matrix of ldmatrix is eight rows of four f32; it can't turn f32
// around, so that values are read one by one: a product's depth of 8 is keys 2 t for t = 0..3, then keys 2 t + 1, as a
// lane's scores lie in its registers.
template <int kDepth>
struct FlashOperands<FlashType::kTf32, kDepth> : FlashRowsInShared<kDepth * 4> {
  using Rows = FlashRowsInShared<kDepth * 4>;
  using Element = float;
  // Four rows of every second key and eight columns don't share banks.
  static __device__ __forceinline__ int ValueChunkAt(int row, int chunk) {
    return row * (kDepth / 4) + (chunk ^ (row / 2 % 4 * 2));
  }
  // Of key 2 * (lane % 4), column lane / 4.
  static __device__ __forceinline__ int ValueLane(int lane) {
    const int pair = lane % 4;
    return 2 * pair * Rows::kRowBytes + pair * 32 + lane / 4 * 4;
  }
  static __device__ __forceinline__ void LoadQuery(typename Rows::Query& query, uint32_t rows, int lane) {
    Rows::LoadQueryBits(query, rows, lane);
#pragma unroll
    for (int d = 0; d < Rows::kPairs; ++d) {
#pragma unroll
      for (int i = 0; i < 4; ++i) query[d][i] = RoundToTf32(__uint_as_float(query[d][i]));
    }
  }
  template <int kBlocks>
  static __device__ __forceinline__ void AddScores(float (&scores)[kBlocks][4], const typename Rows::Query& query,
                                                   uint32_t keys) {
    Rows::template ForKeys<kBlocks * 8>(
        keys, [&](int block, int d, uint32_t b0, uint32_t b1) { MultiplyAddTf32(scores[block], query[d], b0, b1); });
  }
  template <int kBlocks>
  static __device__ __forceinline__ void AddSums(float (&sums)[kDepth / 8][4], const float (&scores)[kBlocks][4],
                                                 uint32_t values) {
#pragma unroll
    for (int j = 0; j < kBlocks; ++j) {
      const uint32_t weights[4] = {RoundToTf32(scores[j][0]), RoundToTf32(scores[j][2]), RoundToTf32(scores[j][1]),
                                   RoundToTf32(scores[j][3])};
#pragma unroll
      for (int d = 0; d < kDepth / 8; ++d) {
        const uint32_t at = (values ^ (d * 32)) + j * 8 * Rows::kRowBytes;
        MultiplyAddTf32(sums[d], weights, LoadShared32(at), LoadShared32(at + Rows::kRowBytes));
      }
    }
  }
};

}  // namespace tamis::cuda
