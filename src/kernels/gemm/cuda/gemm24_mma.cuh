// The 2:4 product by sparse warp products (mma.sp), for compute capability 8.0 and later.
//
// A warp computes 32 outputs of kTokens rows of x. Its weights come straight from global memory into registers, in the
// order in which it holds them (SparseTileOrder::kWarp), kAhead steps of 64 inputs ahead: 2,304 contiguous bytes a
// step. x passes through shared memory, kStages deep. kWarpsAcross warps of a block divide the outputs; kWarpsDeep
// divide the depth and their sums are added in a fixed order. Blocks with many kWarpsDeep and few tokens are for
// weights that come from device memory: nearly all bytes of a block are under way from its first instructions on.
#pragma once

#include "src/kernels/gemm/cuda/gemm24_epilogue.cuh"
#include "src/kernels/gemm/sparse_tile_format.h"

namespace tamis::cuda {

struct SparseMmaParams {
  const uint16_t* x;
  const std::byte* weight;
  const float* bias;
  const uint16_t* residual;
  uint16_t* y;
  int rows, outputs, depth;
  int depth_tiles, output_tiles;  // of 64
  int output_blocks;
  ActivationArgs activation;
};

template <int kTokensValue, int kWarpsAcrossValue, int kWarpsDeepValue, int kStagesValue, int kAheadValue,
          int kPerMultiprocessorValue>
struct SparseMmaShape {
  static constexpr int kTokens = kTokensValue;
  static constexpr int kWarpsAcross = kWarpsAcrossValue;
  static constexpr int kWarpsDeep = kWarpsDeepValue;
  static constexpr int kStages = kStagesValue;
  static constexpr int kAhead = kAheadValue;
  static constexpr int kPerMultiprocessor = kPerMultiprocessorValue;

  static constexpr int kThreads = kWarpsAcross * kWarpsDeep * 32;
  static constexpr int kOutputs = kWarpsAcross * 32;
  static constexpr int kXTile = kTokens * 128;  // bytes: 64 inputs of each row
  static constexpr int kXStage = kWarpsDeep * kXTile;
  static constexpr int kPitch = kOutputs + 4;  // of sums in shared memory
  static constexpr int kSumBytes = kWarpsDeep * kTokens * kPitch * 4;
  static constexpr int kSharedBytes = kStages * kXStage > kSumBytes ? kStages* kXStage : kSumBytes;
};

struct SparseStep {  // of 64 inputs, for 32 outputs
  uint4 values[2][2];
  uint32_t codes[2];
};

__device__ __forceinline__ uint4 LoadOnce(const void* from) {
  uint4 v;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(from));
  return v;
}

template <bool kBf16, int kSelector>
__device__ __forceinline__ void MmaSp(float (&d)[4], const uint4& a, const uint32_t (&b)[4], uint32_t codes) {
#if CUDART_VERSION >= 12050
#define TAMIS_MMA_SP "mma.sp::ordered_metadata.sync.aligned.m16n8k32.row.col.f32."
#else
#define TAMIS_MMA_SP "mma.sp.sync.aligned.m16n8k32.row.col.f32."
#endif
#define TAMIS_MMA_SP_TYPED(type)                                                                                  \
  asm volatile(TAMIS_MMA_SP type "." type                                                                         \
                                 ".f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9,%10,%11}, {%0,%1,%2,%3}, %12, %13;\n" \
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                                                   \
               : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b[0]), "r"(b[1]), "r"(b[2]), "r"(b[3]), "r"(codes),  \
                 "n"(kSelector))
  if constexpr (kBf16) {
    TAMIS_MMA_SP_TYPED("bf16");
  } else {
    TAMIS_MMA_SP_TYPED("f16");
  }
#undef TAMIS_MMA_SP_TYPED
#undef TAMIS_MMA_SP
}

// 16 bytes of row `row` of x from column `column` on, zeros beyond the edges.
__device__ __forceinline__ void FetchX(uint32_t to, const SparseMmaParams& params, int row, int column, bool aligned) {
  const uint16_t* from = params.x + static_cast<int64_t>(row) * params.depth + column;
  const int present = row < params.rows ? min(max(params.depth - column, 0), 8) : 0;
  if (aligned) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(to), "l"(present > 0 ? from : params.x),
                 "r"(present > 0 ? 16 : 0)
                 : "memory");
    return;
  }
  uint32_t words[4] = {0, 0, 0, 0};
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    if (i < present) words[i / 2] |= static_cast<uint32_t>(from[i]) << (i % 2 * 16);
  }
  asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};\n" ::"r"(to), "r"(words[0]), "r"(words[1]), "r"(words[2]),
               "r"(words[3])
               : "memory");
}

template <class Shape, bool kBf16>
__global__ __launch_bounds__(Shape::kThreads, Shape::kPerMultiprocessor) void Gemm24MmaKernel(SparseMmaParams params) {
  constexpr int kTokens = Shape::kTokens, kWarpsAcross = Shape::kWarpsAcross, kWarpsDeep = Shape::kWarpsDeep;
  constexpr int kStages = Shape::kStages, kAhead = Shape::kAhead, kThreads = Shape::kThreads;
  constexpr int kBlocksOfTokens = kTokens / 8;
  extern __shared__ __align__(16) uint8_t shared_bytes[];
  const uint32_t shared = static_cast<uint32_t>(__cvta_generic_to_shared(shared_bytes));
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int across = warp % kWarpsAcross, deep = warp / kWarpsAcross;
  const int output_block = blockIdx.x % params.output_blocks;
  const int first_token = blockIdx.x / params.output_blocks * kTokens;
  LetNextStart();

  // Warps beyond the last tile of outputs compute the last again and store nothing.
  const int tile_row = min((output_block * Shape::kOutputs + across * 32) / 64, params.output_tiles - 1);
  const std::byte* weight = params.weight + static_cast<int64_t>(tile_row) * params.depth_tiles * kSparseTileBytes +
                            across % 2 * 2 * kSparseWarpBytes + lane * 16;
  if (kWarpsAcross == 1) weight += output_block % 2 * 2 * kSparseWarpBytes;
  const int steps = (params.depth_tiles + kWarpsDeep - 1) / kWarpsDeep;
  const auto load_weights = [&](SparseStep& to, int step) {
    const int tile = min(step * kWarpsDeep + deep, params.depth_tiles - 1);  // beyond the last one x is zero
    const std::byte* from = weight + tile * kSparseTileBytes;
#pragma unroll
    for (int m = 0; m < 2; ++m) {
      to.values[m][0] = LoadOnce(from + m * kSparseWarpBytes);
      to.values[m][1] = LoadOnce(from + m * kSparseWarpBytes + 512);
      to.codes[m] =
          __ldg(reinterpret_cast<const uint32_t*>(from + m * kSparseWarpBytes + kSparseWarpValues - lane * 12));
    }
  };
  const bool aligned = params.depth % 8 == 0;
  const auto load_x = [&](int step) {
    if (step < steps) {
      const uint32_t stage = shared + step % kStages * Shape::kXStage;
      for (int c = threadIdx.x; c < kWarpsDeep * kTokens * 8; c += kThreads) {
        const int chunk = c % 8, row = c / 8 % kTokens, d = c / 8 / kTokens;
        FetchX(stage + d * Shape::kXTile + row * 128 + ((chunk ^ (row & 7)) << 4), params, first_token + row,
               (step * kWarpsDeep + d) * 64 + chunk * 8, aligned);
      }
    }
    asm volatile("cp.async.commit_group;\n" ::: "memory");
  };

  SparseStep weights[kAhead];
#pragma unroll
  for (int i = 0; i < kAhead; ++i) load_weights(weights[i], i);
  WaitForPrevious();
#pragma unroll
  for (int i = 0; i < kStages - 1; ++i) load_x(i);

  float sums[2][kBlocksOfTokens][4] = {};
  for (int begin = 0; begin < steps; begin += kAhead) {
#pragma unroll
    for (int ahead = 0; ahead < kAhead; ++ahead) {
      const int step = begin + ahead;
      if (step >= steps) break;
      asm volatile("cp.async.wait_group %0;\n" ::"n"(kStages - 2) : "memory");
      __syncthreads();  // this stage has arrived for all, and all have left the one that is filled now
      load_x(step + kStages - 1);
      const uint32_t x = shared + step % kStages * Shape::kXStage + deep * Shape::kXTile + lane % 8 * 128;
      SparseStep& w = weights[ahead];
#pragma unroll
      for (int n = 0; n < kBlocksOfTokens; ++n) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          uint32_t b[4];
          const uint32_t chunk = static_cast<uint32_t>((half * 4 + lane / 8) ^ (lane % 8));
          asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                       : "=r"(b[0]), "=r"(b[1]), "=r"(b[2]), "=r"(b[3])
                       : "r"(x + n * 8 * 128 + chunk * 16)
                       : "memory");
          if (half == 0) {
            MmaSp<kBf16, 0>(sums[0][n], w.values[0][0], b, w.codes[0]);
            MmaSp<kBf16, 0>(sums[1][n], w.values[1][0], b, w.codes[1]);
          } else {
            MmaSp<kBf16, 1>(sums[0][n], w.values[0][1], b, w.codes[0]);
            MmaSp<kBf16, 1>(sums[1][n], w.values[1][1], b, w.codes[1]);
          }
        }
      }
      if (step + kAhead < steps) load_weights(w, step + kAhead);
    }
  }

  // Sums to shared memory as [warp along the depth][token][output].
  asm volatile("cp.async.wait_group 0;\n" ::: "memory");
  __syncthreads();
  float* all = reinterpret_cast<float*>(shared_bytes);
  {
    float* own = all + (deep * kTokens + lane % 4 * 2) * Shape::kPitch + across * 32 + lane / 4;
#pragma unroll
    for (int m = 0; m < 2; ++m) {
#pragma unroll
      for (int n = 0; n < kBlocksOfTokens; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) own[(n * 8 + i % 2) * Shape::kPitch + m * 16 + i / 2 * 8] = sums[m][n][i];
      }
    }
  }
  __syncthreads();
  const int tokens = min(kTokens, params.rows - first_token);
  const int first_output = output_block * Shape::kOutputs;
  const bool vectors = params.outputs % 4 == 0;
  constexpr int kQuads = Shape::kOutputs / 4;
  DispatchActivation(params.activation.kind, [&](auto kind) {
    constexpr Activation kKind = decltype(kind)::kValue;
    for (int item = threadIdx.x; item < tokens * kQuads; item += kThreads) {
      const int token = item / kQuads, quad = item % kQuads;
      const int output = first_output + quad * 4;
      const int count = min(4, params.outputs - output);
      if (count <= 0) continue;
      float v[4] = {0, 0, 0, 0};
#pragma unroll
      for (int d = 0; d < kWarpsDeep; ++d) {
        const float4 part = *reinterpret_cast<const float4*>(all + (d * kTokens + token) * Shape::kPitch + quad * 4);
        v[0] += part.x;
        v[1] += part.y;
        v[2] += part.z;
        v[3] += part.w;
      }
      const int64_t at = static_cast<int64_t>(first_token + token) * params.outputs + output;
      if (params.bias != nullptr) {
#pragma unroll
        for (int i = 0; i < 4; ++i) v[i] += i < count ? params.bias[output + i] : 0.0f;
      }
      if (params.residual != nullptr) {
#pragma unroll
        for (int i = 0; i < 4; ++i) v[i] += i < count ? UnpackPair<kBf16>(params.residual[at + i]).x : 0.0f;
      }
#pragma unroll
      for (int i = 0; i < 4; ++i) v[i] = ActivateAs<kKind>(v[i], params.activation);
      const uint2 bits = make_uint2(PackPair<kBf16>(v[0], v[1]), PackPair<kBf16>(v[2], v[3]));
      if (vectors) {
        *reinterpret_cast<uint2*>(params.y + at) = bits;
      } else {
        const uint32_t words[2] = {bits.x, bits.y};
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          if (i < count) params.y[at + i] = static_cast<uint16_t>(words[i / 2] >> (i % 2 * 16));
        }
      }
    }
  });
}

}  // namespace tamis::cuda
