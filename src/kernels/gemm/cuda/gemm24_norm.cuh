// Layer norm in the epilogue of a product: the blocks of a cluster hold all outputs of the same rows, and exchange what
// they know of each row through distributed shared memory.
#pragma once

#include "src/kernels/gemm/cuda/gemm24_wgmma_parts.cuh"

namespace tamis::cuda {

// Memory of FinishNorm in a block: what each warp knows of a row, the block's share, and the row's, twice (the mean,
// then the squared deviations).
template <class Shape>
struct NormMemory {
  static constexpr int kWarps = Shape::kWarpgroups * 4;
  static constexpr int kBytes = (kWarps + 4) * Shape::kTokens * 4;
  uint32_t base;
  __device__ __forceinline__ uint32_t OfWarp(int warp, int token) const {
    return base + (warp * Shape::kTokens + token) * 4;
  }
  __device__ __forceinline__ uint32_t OfBlock(int phase, int token) const {
    return base + ((kWarps + phase) * Shape::kTokens + token) * 4;
  }
  __device__ __forceinline__ uint32_t OfRow(int phase, int token) const {
    return base + ((kWarps + 2 + phase) * Shape::kTokens + token) * 4;
  }
};

__device__ __forceinline__ float LoadShared(uint32_t address) {
  float value;
  asm volatile("ld.shared.f32 %0, [%1];\n" : "=f"(value) : "r"(address) : "memory");
  return value;
}
__device__ __forceinline__ void StoreShared(uint32_t address, float value) {
  asm volatile("st.shared.f32 [%0], %1;\n" ::"r"(address), "f"(value) : "memory");
}

// Sums f(j, c) over all outputs for the row 8 j + 2 (lane % 4) + c of this thread, into OfRow(phase, row). Every thread
// that multiplies; the block's other warps call ClusterBarrier() meanwhile.
template <class Shape, class F>
__device__ __forceinline__ void SumOverOutputs(const NormMemory<Shape>& memory, int phase, int blocks, F&& f) {
  constexpr int kThreads = Shape::kWarpgroups * 128;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
#pragma unroll
  for (int j = 0; j < Shape::kTokens / 8; ++j) {
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      float value = f(j, c);
#pragma unroll
      for (int offset = 4; offset < 32; offset *= 2) value += __shfl_xor_sync(0xffffffffu, value, offset);
      if (lane < 4) StoreShared(memory.OfWarp(warp, j * 8 + lane * 2 + c), value);
    }
  }
  NamedBarrier(1, kThreads);
  for (int token = threadIdx.x; token < Shape::kTokens; token += kThreads) {
    float value = 0;
#pragma unroll
    for (int w = 0; w < NormMemory<Shape>::kWarps; ++w) value += LoadShared(memory.OfWarp(w, token));
    StoreShared(memory.OfBlock(phase, token), value);
  }
  ClusterBarrier();
  for (int token = threadIdx.x; token < Shape::kTokens; token += kThreads) {
    float value = 0;
    for (int rank = 0; rank < blocks; ++rank) value += LoadFloatFromRank(memory.OfBlock(phase, token), rank);
    StoreShared(memory.OfRow(phase, token), value);
  }
  NamedBarrier(1, kThreads);
}

// Residual and bias onto the sums of the panels from `first_panel` on, then the norm, then y.
template <class Shape, bool kBf16>
__device__ __forceinline__ void FinishNorm(float (&sums)[Shape::kPanelsEach][Shape::kTokens / 2],
                                           const WgmmaParams& params, int first_output, int first_token, uint32_t tiles,
                                           const NormMemory<Shape>& memory) {
  constexpr int kEach = Shape::kPanelsEach;
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int e = 0; e < kEach; ++e) {
    AddBiasAndResidual<Shape, kBf16>(sums[e], params, first_output + e * 64, tiles + e * Shape::kXTile);
  }
  SumOverOutputs(memory, 0, params.output_blocks, [&](int j, int c) {
    float sum = 0;
#pragma unroll
    for (int e = 0; e < kEach; ++e) sum += sums[e][j * 4 + c] + sums[e][j * 4 + 2 + c];
    return sum;
  });
  const float share = 1.0f / static_cast<float>(params.outputs);
#pragma unroll
  for (int i = 0; i < Shape::kTokens / 2; i += 4) {
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      const float mean = LoadShared(memory.OfRow(0, i * 2 + lane % 4 * 2 + c)) * share;
#pragma unroll
      for (int e = 0; e < kEach; ++e) {
        sums[e][i + c] -= mean;
        sums[e][i + 2 + c] -= mean;
      }
    }
  }
  SumOverOutputs(memory, 1, params.output_blocks, [&](int j, int c) {
    float sum = 0;
#pragma unroll
    for (int e = 0; e < kEach; ++e) {
      const float low = sums[e][j * 4 + c], high = sums[e][j * 4 + 2 + c];
      sum = fmaf(low, low, fmaf(high, high, sum));
    }
    return sum;
  });
#pragma unroll
  for (int i = 0; i < Shape::kTokens / 2; i += 4) {
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      const float squares = LoadShared(memory.OfRow(1, i * 2 + lane % 4 * 2 + c));
      const float inverse = rsqrtf(fmaf(squares, share, params.epsilon));
#pragma unroll
      for (int e = 0; e < kEach; ++e) {
        sums[e][i + c] *= inverse;
        sums[e][i + 2 + c] *= inverse;
      }
    }
  }
  constexpr DType kType = kBf16 ? DType::kBFloat16 : DType::kFloat16;
#pragma unroll
  for (int e = 0; e < kEach; ++e) {
    const int output = first_output + e * 64 + threadIdx.x / 32 % 4 * 16 + lane / 4;
    float scale[2], bias[2] = {};
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      scale[half] = LoadFloat(params.norm_scale, kType, output + half * 8);
      if (params.norm_bias != nullptr) bias[half] = LoadFloat(params.norm_bias, kType, output + half * 8);
    }
    FillTile<Shape, kBf16>(sums[e], tiles + e * Shape::kXTile,
                           [&](float value, int i) { return fmaf(value, scale[i / 2 % 2], bias[i / 2 % 2]); });
    SendTile<Shape>(params, first_output + e * 64, first_token, tiles + e * Shape::kXTile, 2 + threadIdx.x / 128);
  }
}

}  // namespace tamis::cuda
