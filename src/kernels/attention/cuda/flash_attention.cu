#include "src/kernels/attention/cuda/flash_attention.h"
#include "src/kernels/cuda/device.cuh"
#include "src/kernels/cuda/launch.h"
#include "src/kernels/cuda/mma.cuh"

namespace tamis::cuda {
namespace {

// A row of kDepth f16 elements in shared memory, 16-byte chunks swizzled so that eight rows don't share banks.
template <int kDepth>
__device__ __forceinline__ int ChunkAt(int row, int chunk) {
  constexpr int kChunks = kDepth / 8;
  const int swizzle = kDepth == 32 ? row / 2 % 4 : row % 8;
  return row * kChunks + (chunk ^ swizzle);
}

template <int kDepth>
__device__ void CopyRows(__half* to, const __half* from, int64_t pitch, int first, int limit, int rows) {
  constexpr int kChunks = kDepth / 8;
  for (int i = static_cast<int>(threadIdx.x); i < rows * kChunks; i += static_cast<int>(blockDim.x)) {
    const int row = i / kChunks;
    const int chunk = i % kChunks;
    const bool valid = first + row < limit;
    const __half* source = from + (valid ? (first + row) * pitch + chunk * 8 : 0);
    CopyAsync16(SharedAddress(to + ChunkAt<kDepth>(row, chunk) * 8), source, valid);
  }
}

__device__ __forceinline__ float MaxOfQuad(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}
__device__ __forceinline__ float SumOfQuad(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
}

__device__ __forceinline__ uint32_t PackHalves(float a, float b) {
  const __half2 pair = __floats2half2_rn(a, b);
  return *reinterpret_cast<const uint32_t*>(&pair);
}

// 2^x; 0 for -infinity.
__device__ __forceinline__ float Exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// Grid: x over blocks of queries, y over heads, z over the batch. kKeys: of one step. kPlain: the mask, if any, says
// which keys are open, for all queries alike. Few keys a step take few registers, so that kBlocks blocks share a
// multiprocessor.
template <int kDepth, int kMostWarps, int kKeys, int kBlocks, bool kPlain>
__global__ void __launch_bounds__(kMostWarps * 32, kBlocks)
    FlashAttentionKernel(const __grid_constant__ FlashAttentionArgs args) {
  extern __shared__ __align__(128) unsigned char shared[];
  const int warps = static_cast<int>(blockDim.x) / 32;
  auto* q_rows = reinterpret_cast<__half*>(shared);
  __half* k_rows = q_rows + warps * 16 * kDepth;  // two stages each
  __half* v_rows = k_rows + 2 * kKeys * kDepth;
  auto* key_mask = reinterpret_cast<float*>(v_rows + 2 * kKeys * kDepth);  // of one step

  const int head = static_cast<int>(blockIdx.y);
  const int batch = static_cast<int>(blockIdx.z);
  const int first_query = static_cast<int>(blockIdx.x) * warps * 16;
  const int kv_head = args.shared == 1 ? head : head / args.shared;
  const __half* q = static_cast<const __half*>(args.q) + batch * args.q_rows.batch + head * args.q_rows.head;
  const __half* k = static_cast<const __half*>(args.k) + batch * args.k_rows.batch + kv_head * args.k_rows.head;
  const __half* v = static_cast<const __half*>(args.v) + batch * args.v_rows.batch + kv_head * args.v_rows.head;
  LetNextStart();
  WaitForPrevious();
  CopyRows<kDepth>(q_rows, q, args.q_rows.row, first_query, args.queries, warps * 16);
  // Keys that no query of the block sees are not read.
  const int seen = !kPlain && args.causal ? min(args.keys, first_query + warps * 16 + args.causal_offset) : args.keys;
  const int steps = max((seen + kKeys - 1) / kKeys, 1);
  const auto load = [&](int step) {
    if (step < steps) {
      CopyRows<kDepth>(k_rows + step % 2 * kKeys * kDepth, k, args.k_rows.row, step * kKeys, args.keys, kKeys);
      CopyRows<kDepth>(v_rows + step % 2 * kKeys * kDepth, v, args.v_rows.row, step * kKeys, args.keys, kKeys);
    }
    CommitCopies();
  };
  load(0);

  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int row[2] = {first_query + warp * 16 + lane / 4, first_query + warp * 16 + lane / 4 + 8};
  constexpr float kLog2e = 1.4426950408889634f;
  const float scale = args.scale * kLog2e;
  const DType mask_dtype = args.mask_f16 ? DType::kFloat16 : DType::kFloat32;
  // The usual mask says which keys are open and is the same for all queries: it is read once a step.
  const bool by_query = !kPlain && args.mask != nullptr && args.mask_strides[2] != 0;
  const int64_t mask_head = batch * args.mask_strides[0] + head * args.mask_strides[1];
  int64_t mask_row[2] = {};
  if (args.mask != nullptr) {
    for (int i = 0; i < 2; ++i) {
      const int query = min(row[i], args.queries - 1);
      mask_row[i] = mask_head + query * args.mask_strides[2];
    }
  }

  uint32_t query[kDepth / 16][4];
  float sums[kDepth / 8][4] = {};
  float most[2] = {-INFINITY, -INFINITY};
  float total[2] = {0, 0};
  for (int step = 0; step < steps; ++step) {
    __syncthreads();  // everyone is done with the stage that is loaded next
    load(step + 1);
    for (int t = static_cast<int>(threadIdx.x); t < kKeys; t += static_cast<int>(blockDim.x)) {
      const int key = step * kKeys + t;
      float value = key < args.keys ? 0.0f : -INFINITY;
      if (args.mask != nullptr && !by_query && key < args.keys) {
        value = kLog2e * LoadFloat(args.mask, mask_dtype, mask_head + key * args.mask_strides[3]);
      }
      key_mask[t] = value;
    }
    WaitForCopies<1>();
    __syncthreads();
    if (step == 0) {
#pragma unroll
      for (int d = 0; d < kDepth / 16; ++d) {
        const int r = warp * 16 + lane % 16;
        LoadMatrices(query[d], SharedAddress(q_rows + ChunkAt<kDepth>(r, d * 2 + lane / 16) * 8));
      }
    }
    const __half* keys = k_rows + step % 2 * kKeys * kDepth;
    const __half* values = v_rows + step % 2 * kKeys * kDepth;

    float scores[kKeys / 8][4] = {};
#pragma unroll
    for (int d = 0; d < kDepth / 16; ++d) {
#pragma unroll
      for (int j = 0; j < kKeys / 16; ++j) {
        uint32_t b[4];
        const int r = j * 16 + lane / 16 * 8 + lane % 8;
        LoadMatrices(b, SharedAddress(keys + ChunkAt<kDepth>(r, d * 2 + lane / 8 % 2) * 8));
        MultiplyAdd(scores[2 * j], query[d], b[0], b[1]);
        MultiplyAdd(scores[2 * j + 1], query[d], b[2], b[3]);
      }
    }
    // Scaled by log2(e), so that exp2 does.
    float largest[2] = {-INFINITY, -INFINITY};
#pragma unroll
    for (int j = 0; j < kKeys / 8; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int column = j * 8 + lane % 4 * 2 + e % 2;
        float score = fmaf(scores[j][e], scale, key_mask[column]);
        const int key = step * kKeys + column;
        if (by_query && key < args.keys) {
          score += kLog2e * LoadFloat(args.mask, mask_dtype, mask_row[e / 2] + key * args.mask_strides[3]);
        }
        if (!kPlain && args.causal && key > row[e / 2] + args.causal_offset) score = -INFINITY;
        scores[j][e] = score;
        largest[e / 2] = fmaxf(largest[e / 2], score);
      }
    }
    float factor[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const float now = fmaxf(most[i], MaxOfQuad(largest[i]));
      // Until a finite score turns up the weights are 0, not NaN.
      const float base = now == -INFINITY ? 0.0f : now;
      factor[i] = Exp2(most[i] - base);
      most[i] = now;
      total[i] *= factor[i];
#pragma unroll
      for (int j = 0; j < kKeys / 8; ++j) {
        scores[j][2 * i] = Exp2(scores[j][2 * i] - base);
        scores[j][2 * i + 1] = Exp2(scores[j][2 * i + 1] - base);
        total[i] += scores[j][2 * i] + scores[j][2 * i + 1];
      }
    }
#pragma unroll
    for (int d = 0; d < kDepth / 8; ++d) {
#pragma unroll
      for (int e = 0; e < 4; ++e) sums[d][e] *= factor[e / 2];
    }
#pragma unroll
    for (int j = 0; j < kKeys / 16; ++j) {
      const uint32_t weights[4] = {PackHalves(scores[2 * j][0], scores[2 * j][1]),
                                   PackHalves(scores[2 * j][2], scores[2 * j][3]),
                                   PackHalves(scores[2 * j + 1][0], scores[2 * j + 1][1]),
                                   PackHalves(scores[2 * j + 1][2], scores[2 * j + 1][3])};
#pragma unroll
      for (int d = 0; d < kDepth / 16; ++d) {
        uint32_t b[4];
        LoadMatricesTransposed(b, SharedAddress(values + ChunkAt<kDepth>(j * 16 + lane % 16, d * 2 + lane / 16) * 8));
        MultiplyAdd(sums[2 * d], weights, b[0], b[1]);
        MultiplyAdd(sums[2 * d + 1], weights, b[2], b[3]);
      }
    }
  }
  WaitForCopies<0>();
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const float sum = SumOfQuad(total[i]);
    // 0 * infinity is NaN where every score was -infinity.
    const float inverse = args.zero_masked && most[i] == -INFINITY ? 0.0f : 1.0f / sum;
    if (row[i] >= args.queries) continue;
    __half* y = static_cast<__half*>(args.y) + batch * args.y_rows.batch + row[i] * args.y_rows.row +
                head * args.y_rows.head + lane % 4 * 2;
#pragma unroll
    for (int d = 0; d < kDepth / 8; ++d) {
      *reinterpret_cast<__half2*>(y + d * 8) =
          __floats2half2_rn(sums[d][2 * i] * inverse, sums[d][2 * i + 1] * inverse);
    }
  }
}

template <int kDepth, int kMostWarps, int kKeys, int kBlocks, bool kPlain>
cudaError_t Launch(int warps, const FlashAttentionArgs& args, cudaStream_t stream) {
  constexpr auto kKernel = FlashAttentionKernel<kDepth, kMostWarps, kKeys, kBlocks, kPlain>;
  LaunchShape shape;
  shape.block = dim3(static_cast<unsigned>(warps) * 32);
  shape.grid = dim3(static_cast<unsigned>((args.queries + warps * 16 - 1) / (warps * 16)),
                    static_cast<unsigned>(args.heads), static_cast<unsigned>(args.batch));
  shape.shared_bytes = static_cast<unsigned>((warps * 16 + 4 * kKeys) * kDepth * 2 + kKeys * 4);
  const cudaError_t error =
      cudaFuncSetAttribute(kKernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shape.shared_bytes));
  return error != cudaSuccess ? error : LaunchKernel(kKernel, shape, stream, args);
}

template <int kDepth, bool kPlain>
cudaError_t LaunchKind(int warps, bool short_steps, const FlashAttentionArgs& args, cudaStream_t stream) {
  if (short_steps) return Launch < kDepth, 4, 32, kDepth == 128 ? 3 : 6, kPlain > (warps, args, stream);
  return warps > 4 ? Launch<kDepth, 8, 64, 1, kPlain>(warps, args, stream)
                   : Launch<kDepth, 4, 64, 1, kPlain>(warps, args, stream);
}

template <int kDepth>
cudaError_t LaunchDepth(int warps, bool short_steps, const FlashAttentionArgs& args, cudaStream_t stream) {
  const bool plain = !args.causal && (args.mask == nullptr || args.mask_strides[2] == 0);
  return plain ? LaunchKind<kDepth, true>(warps, short_steps, args, stream)
               : LaunchKind<kDepth, false>(warps, short_steps, args, stream);
}

}  // namespace

cudaError_t LaunchFlashAttention(int depth, int warps, bool short_steps, const FlashAttentionArgs& args,
                                 cudaStream_t stream) {
  switch (depth) {
    case 32:
      return LaunchDepth<32>(warps, short_steps, args, stream);
    case 64:
      return LaunchDepth<64>(warps, short_steps, args, stream);
    case 128:
      return LaunchDepth<128>(warps, short_steps, args, stream);
    default:
      return cudaErrorInvalidValue;
  }
}

}  // namespace tamis::cuda
