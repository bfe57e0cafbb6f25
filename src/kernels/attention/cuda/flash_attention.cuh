// The kernel of attention in one pass.
#pragma once

#include <cfloat>

#include "src/kernels/attention/cuda/flash_attention.h"
#include "src/kernels/attention/cuda/flash_operands.cuh"
#include "src/kernels/cuda/device.cuh"
#include "src/kernels/cuda/launch.h"
#include "src/kernels/cuda/mma.cuh"
#include "src/kernels/quantized/cuda/codes.cuh"

namespace tamis::cuda {

// Rows of `from` from `first` on, to their places in shared memory; those from `limit` on are zeros.
template <class Operands, bool kValues>
__device__ __forceinline__ void CopyRows(unsigned char* to, const typename Operands::Element* from, int64_t pitch,
                                         int first, int limit, int rows) {
  constexpr int kChunks = Operands::kRowBytes / 16, kEach = 16 / sizeof(typename Operands::Element);
  const int chunk = static_cast<int>(threadIdx.x) % kChunks, step = static_cast<int>(blockDim.x) / kChunks;
  const auto* source = from + (first + static_cast<int>(threadIdx.x) / kChunks) * pitch + chunk * kEach;
  for (int row = static_cast<int>(threadIdx.x) / kChunks; row < rows; row += step, source += step * pitch) {
    const bool valid = first + row < limit;
    const int place = kValues ? Operands::ValueChunkAt(row, chunk) : Operands::ChunkAt(row, chunk);
    CopyAsync16(SharedAddress(to + place * 16), valid ? source : from, valid);
  }
}

constexpr float kLog2e = 1.4426950408889634f;
// A mask in units of log2(e). The lowest finite number, which many networks hide keys by, stays finite: a row of nothing
// but such keys sees all of them, where one of infinities would be no number.
__device__ __forceinline__ float InUnits(float mask) {
  return mask == -INFINITY ? mask : fmaxf(kLog2e * mask, -FLT_MAX);
}

__device__ __forceinline__ float MaxOfQuad(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}
__device__ __forceinline__ float SumOfQuad(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
}

// 2^x; 0 for -infinity.
__device__ __forceinline__ float Exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// Rows of kDepth codes, 16 a chunk, likewise swizzled.
template <int kDepth>
__device__ __forceinline__ int CodeChunkAt(int row, int chunk) {
  constexpr int kChunks = kDepth / 16;
  return row * kChunks + (chunk ^ (row * kChunks / 8 % kChunks));
}

// A block of queries of one head: what is computed in one go.
struct FlashItem {
  int first_query, head, batch;
  int steps;  // of kKeys keys; keys that none of the queries sees are not read
};
template <int kKeys, bool kPlain>
__device__ __forceinline__ FlashItem ItemOf(const FlashAttentionArgs& args, int index, int queries) {
  const int query_blocks = (args.queries + queries - 1) / queries;
  FlashItem item;
  item.first_query = index % query_blocks * queries;
  item.head = index / query_blocks % args.heads;
  item.batch = index / query_blocks / args.heads;
  const int seen = !kPlain && args.causal ? min(args.keys, item.first_query + queries + args.causal_offset) : args.keys;
  item.steps = max((seen + kKeys - 1) / kKeys, 1);
  return item;
}

// The warp's 16 rows of results as codes, by way of its own `bytes` in shared memory; y begins at `at`.
template <int kDepth>
__device__ __forceinline__ void StoreCodes(const float (&sums)[kDepth / 8][4], const float (&inverse)[2],
                                           const FlashAttentionArgs& args, const FlashItem& item, int first_row,
                                           unsigned char* bytes, int64_t at) {
  const int lane = static_cast<int>(threadIdx.x) % 32, column = lane % 4 * 2;
  const CodeShift shift = ShiftOf(args.codes, args.y_zero);
  const float* factors = args.factors + item.head * kDepth + column;
#pragma unroll
  for (int d = 0; d < kDepth / 8; ++d) {
    const float2 factor = *reinterpret_cast<const float2*>(factors + d * 8);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const uint32_t pair =
          PackCodes2(sums[d][2 * i] * inverse[i] * factor.x, sums[d][2 * i + 1] * inverse[i] * factor.y, shift) ^
          shift.flips;
      *reinterpret_cast<uint16_t*>(bytes + CodeChunkAt<kDepth>(lane / 4 + 8 * i, d / 2) * 16 + d % 2 * 8 + column) =
          static_cast<uint16_t>(pair);
    }
  }
  __syncwarp();
  uint8_t* y = static_cast<uint8_t*>(args.y) + at;
#pragma unroll
  for (int i = lane; i < kDepth; i += 32) {
    const int row = i / (kDepth / 16), chunk = i % (kDepth / 16);
    if (first_row + row >= args.queries) continue;
    *reinterpret_cast<uint4*>(y + (first_row + row) * args.y_rows.row + chunk * 16) =
        *reinterpret_cast<const uint4*>(bytes + CodeChunkAt<kDepth>(row, chunk) * 16);
  }
}

// The warp's 16 rows of results in f32: a group of four lanes fills a sector.
template <int kDepth>
__device__ __forceinline__ void StoreFull(const float (&sums)[kDepth / 8][4], const float (&inverse)[2],
                                          const FlashAttentionArgs& args, const FlashItem& item, int first_row) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  float* y = static_cast<float*>(args.y) + item.batch * args.y_rows.batch + item.head * args.y_rows.head + lane % 4 * 2;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int row = first_row + lane / 4 + 8 * i;
    if (row >= args.queries) continue;
#pragma unroll
    for (int d = 0; d < kDepth / 8; ++d) {
      *reinterpret_cast<float2*>(y + row * args.y_rows.row + d * 8) =
          make_float2(sums[d][2 * i] * inverse[i], sums[d][2 * i + 1] * inverse[i]);
    }
  }
}

// In 16 bits or in codes, by way of the warp's own `bytes` in shared memory: whole lines reach y.
template <FlashType kType, int kDepth>
__device__ __forceinline__ void StoreRows(const float (&sums)[kDepth / 8][4], const float (&inverse)[2],
                                          const FlashAttentionArgs& args, const FlashItem& item, int first_row,
                                          unsigned char* bytes) {
  using Operands = FlashOperands<kType, kDepth>;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t at = item.batch * args.y_rows.batch + item.head * args.y_rows.head;
  const int column = lane % 4 * 2;
  __syncwarp();  // the rows held the queries
  if (args.codes != DType::kUndefined) {
    StoreCodes<kDepth>(sums, inverse, args, item, first_row, bytes, at);
    return;
  }
#pragma unroll
  for (int i = 0; i < 2; ++i) {
#pragma unroll
    for (int d = 0; d < kDepth / 8; ++d) {
      *reinterpret_cast<uint32_t*>(bytes + Operands::ChunkAt(lane / 4 + 8 * i, d) * 16 + column * 2) =
          PackTwo<kType>(sums[d][2 * i] * inverse[i], sums[d][2 * i + 1] * inverse[i]);
    }
  }
  __syncwarp();
  auto* y = static_cast<uint16_t*>(args.y) + at;
#pragma unroll
  for (int i = lane; i < 2 * kDepth; i += 32) {
    const int row = i / (kDepth / 8), chunk = i % (kDepth / 8);
    if (first_row + row >= args.queries) continue;
    *reinterpret_cast<uint4*>(y + (first_row + row) * args.y_rows.row + chunk * 8) =
        *reinterpret_cast<const uint4*>(bytes + Operands::ChunkAt(row, chunk) * 16);
  }
}

// Each block takes every gridDim.x-th item. What a step needs is fetched while the one before is computed, across items
// too; with one item a block `q_buffers` is 1, otherwise 2. kKeys: of one step. kPlain: the mask, if any, says which
// keys are open, for all queries alike. Few keys a step take few registers, so that kBlocks blocks share a
// multiprocessor.
template <FlashType kType, int kDepth, int kMostWarps, int kKeys, int kBlocks, bool kPlain>
__global__ void __launch_bounds__(kMostWarps * 32, kBlocks)
    FlashAttentionKernel(const __grid_constant__ FlashAttentionArgs args, int items, int q_buffers) {
  using Operands = FlashOperands<kType, kDepth>;
  using Element = typename Operands::Element;
  extern __shared__ __align__(512) unsigned char shared[];  // rows are no longer than that
  constexpr int kMaskLoads = (kKeys + 31) / 32;             // a thread, where the block is one warp
  const int warps = static_cast<int>(blockDim.x) / 32;
  const int queries = warps * 16;
  constexpr int kRowBytes = Operands::kRowBytes, kStageBytes = kKeys * kRowBytes;
  unsigned char* k_rows = shared + q_buffers * queries * kRowBytes;  // two stages each
  unsigned char* v_rows = k_rows + 2 * kStageBytes;
  auto* key_mask = reinterpret_cast<float*>(v_rows + 2 * kStageBytes);  // of one step

  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const float scale = args.scale * kLog2e;
  const DType mask_dtype = args.mask_f16 ? DType::kFloat16 : DType::kFloat32;
  // The usual mask is the same for all queries: it is read once a step.
  const bool by_query = !kPlain && args.mask != nullptr && args.mask_strides[2] != 0;
  const uint32_t key_lane = SharedAddress(k_rows) + Operands::KeyLane(lane);
  const uint32_t value_lane = SharedAddress(v_rows) + Operands::ValueLane(lane);
  const auto q_buffer = [&](int turn) { return shared + (q_buffers == 1 ? 0 : turn % 2 * queries * kRowBytes); };
  LetNextStart();
  WaitForPrevious();

  int next_index = static_cast<int>(blockIdx.x), next_step = 0, next_turn = 0;
  FlashItem next = ItemOf<kKeys, kPlain>(args, next_index, queries);
  float next_mask[kMaskLoads];
  // Begins to fetch the next step into a stage.
  const auto load = [&](int stage) {
    if (next_index < items) {
      const int kv_head = args.shared == 1 ? next.head : next.head / args.shared;
      if (next_step == 0) {
        CopyRows<Operands, false>(
            q_buffer(next_turn),
            static_cast<const Element*>(args.q) + next.batch * args.q_rows.batch + next.head * args.q_rows.head,
            args.q_rows.row, next.first_query, args.queries, queries);
      }
      CopyRows<Operands, false>(
          k_rows + stage * kStageBytes,
          static_cast<const Element*>(args.k) + next.batch * args.k_rows.batch + kv_head * args.k_rows.head,
          args.k_rows.row, next_step * kKeys, args.keys, kKeys);
      CopyRows<Operands, true>(
          v_rows + stage * kStageBytes,
          static_cast<const Element*>(args.v) + next.batch * args.v_rows.batch + kv_head * args.v_rows.head,
          args.v_rows.row, next_step * kKeys, args.keys, kKeys);
      const int64_t mask_at = next.batch * args.mask_strides[0] + next.head * args.mask_strides[1];
#pragma unroll
      for (int m = 0; m < kMaskLoads; ++m) {
        const int t = static_cast<int>(threadIdx.x) + m * static_cast<int>(blockDim.x);
        const int key = next_step * kKeys + t;
        next_mask[m] = key < args.keys ? 0.0f : -INFINITY;
        if (t < kKeys && args.mask != nullptr && !by_query && key < args.keys) {
          next_mask[m] = InUnits(LoadFloat(args.mask, mask_dtype, mask_at + key * args.mask_strides[3]));
        }
      }
      if (++next_step == next.steps) {
        next_index += static_cast<int>(gridDim.x);
        ++next_turn;
        next_step = 0;
        if (next_index < items) next = ItemOf<kKeys, kPlain>(args, next_index, queries);
      }
    }
    CommitCopies();
  };
  int stage = 0;
  load(stage);

  int turn = 0;
  for (int index = static_cast<int>(blockIdx.x); index < items; index += static_cast<int>(gridDim.x), ++turn) {
    const FlashItem item = ItemOf<kKeys, kPlain>(args, index, queries);
    unsigned char* own_rows = q_buffer(turn) + warp * 16 * kRowBytes;
    const int first_row = item.first_query + warp * 16;
    const int row[2] = {first_row + lane / 4, first_row + lane / 4 + 8};
    int64_t mask_row[2] = {};
    if (by_query) {
      for (int i = 0; i < 2; ++i) {
        mask_row[i] = item.batch * args.mask_strides[0] + item.head * args.mask_strides[1] +
                      min(row[i], args.queries - 1) * args.mask_strides[2];
      }
    }
    typename Operands::Query query;
    float sums[kDepth / 8][4] = {};
    float most[2] = {-INFINITY, -INFINITY};
    float total[2] = {0, 0};
    for (int step = 0; step < item.steps; ++step, stage ^= 1) {
      __syncthreads();     // everyone is done with the stage that is loaded next
      bool masks = false;  // any of the step's keys
#pragma unroll
      for (int m = 0; m < kMaskLoads; ++m) {
        const int t = static_cast<int>(threadIdx.x) + m * static_cast<int>(blockDim.x);
        if (t >= kKeys) continue;
        key_mask[t] = next_mask[m];
        masks = masks || next_mask[m] != 0;
      }
      load(stage ^ 1);
      WaitForCopies<1>();
      const bool open = __syncthreads_or(static_cast<int>(masks)) == 0 && scale > 0;
      if (step == 0) Operands::LoadQuery(query, SharedAddress(own_rows), lane);
      const uint32_t keys = key_lane + stage * kStageBytes, values = value_lane + stage * kStageBytes;

      float scores[kKeys / 8][4] = {};
      Operands::AddScores(scores, query, keys);
      // In units of log2(e), so that exp2 does. Where no key of the step is masked the scale is applied with the
      // maximum's subtraction.
      float largest[2] = {-INFINITY, -INFINITY};
      const float unit = kPlain && open ? scale : 1.0f;
      if (kPlain && open) {
#pragma unroll
        for (int j = 0; j < kKeys / 8; ++j) {
#pragma unroll
          for (int e = 0; e < 4; ++e) largest[e / 2] = fmaxf(largest[e / 2], scores[j][e]);
        }
      } else {
#pragma unroll
        for (int j = 0; j < kKeys / 8; ++j) {
#pragma unroll
          for (int e = 0; e < 4; ++e) {
            const int column = j * 8 + lane % 4 * 2 + e % 2;
            float score = fmaf(scores[j][e], scale, key_mask[column]);
            const int key = step * kKeys + column;
            if (by_query && key < args.keys) {
              score += InUnits(LoadFloat(args.mask, mask_dtype, mask_row[e / 2] + key * args.mask_strides[3]));
            }
            if (!kPlain && args.causal && key > row[e / 2] + args.causal_offset) score = -INFINITY;
            scores[j][e] = score;
            largest[e / 2] = fmaxf(largest[e / 2], score);
          }
        }
      }
      float factor[2];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const float now = fmaxf(most[i], MaxOfQuad(largest[i]) * unit);
        // Until a finite score turns up the weights are 0, not NaN.
        const float base = now == -INFINITY ? 0.0f : now;
        factor[i] = Exp2(most[i] - base);
        most[i] = now;
        total[i] *= factor[i];
        float part = 0;  // a sum of its own, half as long a chain
#pragma unroll
        for (int j = 0; j < kKeys / 8; ++j) {
          scores[j][2 * i] = Exp2(fmaf(scores[j][2 * i], unit, -base));
          scores[j][2 * i + 1] = Exp2(fmaf(scores[j][2 * i + 1], unit, -base));
          total[i] += scores[j][2 * i];
          part += scores[j][2 * i + 1];
        }
        total[i] += part;
      }
#pragma unroll
      for (int d = 0; d < kDepth / 8; ++d) {
#pragma unroll
        for (int e = 0; e < 4; ++e) sums[d][e] *= factor[e / 2];
      }
      Operands::AddSums(sums, scores, values);
    }
    float inverse[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const float sum = SumOfQuad(total[i]);
      // 0 * infinity is NaN where every score was -infinity.
      inverse[i] = args.zero_masked && most[i] == -INFINITY ? 0.0f : 1.0f / sum;
    }
    if constexpr (kType == FlashType::kTf32) {
      StoreFull<kDepth>(sums, inverse, args, item, first_row);
    } else {
      StoreRows<kType, kDepth>(sums, inverse, args, item, first_row, own_rows);
    }
  }
  WaitForCopies<0>();
}

template <FlashType kType, int kDepth, int kMostWarps, int kKeys, int kBlocks, bool kPlain>
cudaError_t LaunchInstance(const FlashTactic& tactic, const FlashAttentionArgs& args, cudaStream_t stream) {
  constexpr auto kKernel = FlashAttentionKernel<kType, kDepth, kMostWarps, kKeys, kBlocks, kPlain>;
  const int queries = tactic.warps * 16, threads = tactic.warps * 32;
  const int64_t items = static_cast<int64_t>((args.queries + queries - 1) / queries) * args.heads * args.batch;
  if (items > INT32_MAX / 2) return cudaErrorInvalidValue;
  const int q_buffers = tactic.persistent ? 2 : 1;
  LaunchShape shape;
  shape.block = dim3(static_cast<unsigned>(threads));
  shape.shared_bytes = static_cast<unsigned>(FlashSharedBytes(kDepth, tactic, kType));
  cudaError_t error =
      cudaFuncSetAttribute(kKernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shape.shared_bytes));
  int64_t blocks = items;
  if (tactic.persistent && error == cudaSuccess) {
    int device = 0, multiprocessors = 0, each = 0;
    error = cudaGetDevice(&device);
    if (error == cudaSuccess) {
      error = cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device);
    }
    if (error == cudaSuccess) {
      error = cudaOccupancyMaxActiveBlocksPerMultiprocessor(&each, kKernel, threads, shape.shared_bytes);
    }
    // As many items for each as can be.
    const int64_t together = static_cast<int64_t>(multiprocessors) * (each > 0 ? each : 1);
    blocks = (items + (items + together - 1) / together - 1) / ((items + together - 1) / together);
  }
  if (error != cudaSuccess) return error;
  shape.grid = dim3(static_cast<unsigned>(blocks));
  return LaunchKernel(kKernel, shape, stream, args, static_cast<int>(items), q_buffers);
}

// What Suits.
template <FlashType kType, int kDepth, bool kPlain>
cudaError_t LaunchKind(const FlashTactic& tactic, const FlashAttentionArgs& args, cudaStream_t stream) {
  // Operands of f32 take twice the shared memory, and queries twice the registers.
  constexpr bool kWide = kType == FlashType::kTf32;
  constexpr int kBlocksOf32 = kDepth == 128 ? 2 : kWide && kDepth == 64 ? 3 : 4;
  constexpr int kBlocksOf64 = kDepth == 128 ? 1 : kWide && kDepth == 64 ? 2 : 3;
  if (tactic.step == FlashStep::k32) {
    return LaunchInstance<kType, kDepth, 4, 32, kBlocksOf32, kPlain>(tactic, args, stream);
  }
  if (tactic.step == FlashStep::k64 && tactic.warps <= 4) {
    return LaunchInstance<kType, kDepth, 4, 64, kBlocksOf64, kPlain>(tactic, args, stream);
  }
  if constexpr (kType == FlashType::kF16) {
    if (tactic.step == FlashStep::k64) return LaunchInstance<kType, kDepth, 8, 64, 1, kPlain>(tactic, args, stream);
    if constexpr (kDepth <= kMostDepthOfLongSteps) {
      return LaunchInstance<kType, kDepth, 4, 128, 3, kPlain>(tactic, args, stream);
    }
  }
  return cudaErrorInvalidValue;
}

template <FlashType kType, int kDepth>
cudaError_t LaunchDepth(const FlashTactic& tactic, const FlashAttentionArgs& args, cudaStream_t stream) {
  const bool plain = !args.causal && (args.mask == nullptr || args.mask_strides[2] == 0);
  return plain ? LaunchKind<kType, kDepth, true>(tactic, args, stream)
               : LaunchKind<kType, kDepth, false>(tactic, args, stream);
}

template <FlashType kType>
cudaError_t LaunchFlash(int depth, const FlashTactic& tactic, const FlashAttentionArgs& args, cudaStream_t stream) {
  switch (depth) {
    case 32:
      return LaunchDepth<kType, 32>(tactic, args, stream);
    case 64:
      return LaunchDepth<kType, 64>(tactic, args, stream);
    case 128:
      return LaunchDepth<kType, 128>(tactic, args, stream);
    default:
      return cudaErrorInvalidValue;
  }
}

}  // namespace tamis::cuda
