// The product by warpgroup products of sm_90a, of a 2:4 or dense weight, one tile of y a block.
//
// A block computes kPanels * 64 outputs of kTokens rows of x, some panels a warpgroup. One warp fetches: weights as
// contiguous packed tiles (bulk copies; they don't depend on the previous kernel and so start before it has ended), x
// by the tensor copy engine. One warpgroup a panel multiplies.
//
// Without a split, the sums are finished in registers (StoreTile). With a split, the blocks of a cluster each hold the
// sums of a part of the depth in shared memory, and each adds up and finishes some of the outputs, in the order of the
// parts: the result does not depend on timing.
#pragma once

#include "src/kernels/gemm/cuda/finish_tile.cuh"
#include "src/kernels/gemm/cuda/gemm24_norm.cuh"
#include "src/kernels/gemm/cuda/gemm24_wgmma_parts.cuh"

namespace tamis::cuda {

template <int kTokensValue, int kWarpgroupsValue, int kPanelsEachValue, int kTilesValue, int kStagesValue,
          int kPerMultiprocessorValue, bool kSparseValue = true, bool kNormValue = false,
          OperandType kType = OperandType::kSixteenBits>
struct WgmmaShape {
  static constexpr bool kInt8 = kType == OperandType::kInt8, kFloat8 = kType == OperandType::kFloat8;
  using Sum = std::conditional_t<kInt8, int32_t, float>;
  static constexpr bool kSparse = kSparseValue;
  static constexpr uint32_t kTileBytes = kWeightTileBytes < kSparse, kInt8 || kFloat8 > ;
  static constexpr int kTokens = kTokensValue;
  static constexpr int kWarpgroups = kWarpgroupsValue;
  static constexpr int kPanelsEach = kPanelsEachValue;  // of a warpgroup
  static constexpr int kPanels = kWarpgroups * kPanelsEach;
  static constexpr int kTiles = kTilesValue;
  static constexpr int kStages = kStagesValue;
  static constexpr int kPerMultiprocessor = kPerMultiprocessorValue;

  static constexpr int kThreads = kWarpgroups * 128 + 32;
  static constexpr int kXTile = kTokens * 128;                  // bytes
  static constexpr int kTileOfY = kInt8 ? kXTile / 2 : kXTile;  // of a panel
  static constexpr int kXStage = kTiles * kXTile;
  static constexpr int kWeightStage = kPanels * kTiles * static_cast<int>(kTileBytes);
  static constexpr int kStageBytes = kXStage + kWeightStage;
  static constexpr int kSharedBytes = kStages * kStageBytes + 1024;  // and alignment
  static constexpr int kPitch = kPanels * 64 + 4;                    // of sums in shared memory: no bank conflicts
  static constexpr bool kCanSplit = !kNormValue && kTokens * kPitch * 4 <= kStages * kStageBytes;
  static constexpr bool kPersistent = false;
  static constexpr bool kLines = false;
  static constexpr bool kNorm = kNormValue;  // rows are normalised: a cluster holds all outputs
  static_assert(kPanels * kXTile <= kStages * kXStage, "tiles of y pass through the memory of x");
};

// Sums of the parts of a split, added up and finished by all threads of the block but the fetching warp.
template <class Shape, bool kBf16>
__device__ __forceinline__ void StoreSplitTile(const WgmmaParams& params, const BlockPosition& block, int part,
                                               uint32_t sums) {
  ForQuadsOfPart<Shape>(params, block, part, sums, [&](uint32_t address, int output, int64_t at) {
    float4 v = LoadFromRank(address, 0);
    for (int r = 1; r < params.split; ++r) {
      const float4 more = LoadFromRank(address, r);
      v = make_float4(v.x + more.x, v.y + more.y, v.z + more.z, v.w + more.w);
    }
    if constexpr (kIsFloat8<Shape>) {
      const Int8Channel* const channels = params.channels + output;
      v.x = fmaf(channels[0].scale, v.x, channels[0].bias), v.y = fmaf(channels[1].scale, v.y, channels[1].bias);
      v.z = fmaf(channels[2].scale, v.z, channels[2].bias), v.w = fmaf(channels[3].scale, v.w, channels[3].bias);
    } else if (params.bias != nullptr) {
      const float4 bias = *reinterpret_cast<const float4*>(params.bias + output);
      v = make_float4(v.x + bias.x, v.y + bias.y, v.z + bias.z, v.w + bias.w);
    }
    if (params.residual_rows != nullptr) {
      const uint2 bits = *reinterpret_cast<const uint2*>(static_cast<const uint16_t*>(params.residual_rows) + at);
      const float2 low = UnpackPair<kBf16>(bits.x), high = UnpackPair<kBf16>(bits.y);
      v = make_float4(v.x + low.x, v.y + low.y, v.z + high.x, v.w + high.y);
    }
    float values[4] = {v.x, v.y, v.z, v.w};
    ActivateSome(values, params.activation);
    const uint2 bits = make_uint2(PackPair<kBf16>(values[0], values[1]), PackPair<kBf16>(values[2], values[3]));
    *reinterpret_cast<uint2*>(static_cast<uint16_t*>(params.y_rows) + at) = bits;
  });
}

template <class Shape, bool kBf16>
__global__ __launch_bounds__(Shape::kThreads, Shape::kPerMultiprocessor) void Gemm24WgmmaKernel(
    const __grid_constant__ WgmmaParams params) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  constexpr int kPanels = Shape::kPanels, kStages = Shape::kStages, kTokens = Shape::kTokens;
  constexpr int kConsumers = Shape::kWarpgroups * 128, kEach = Shape::kPanelsEach;
  extern __shared__ uint8_t shared_bytes[];
  __shared__ __align__(8) uint64_t barriers[2 * kStages + kPanels];
  const uint32_t base = (SharedAddress(shared_bytes) + 1023) & ~1023u;
  const uint32_t full = SharedAddress(barriers), fetched = full + 16 * kStages;
  const StageRing<Shape> ring{base, base + kStages * Shape::kXStage, full, full + 8 * kStages};

  const int warp = __shfl_sync(0xffffffff, threadIdx.x / 32, 0);
  const int lane = threadIdx.x % 32;
  const bool whole = params.split == 1 && !(Shape::kInt8 && params.through_shared);  // finished in registers
  const bool in_cluster = Shape::kNorm || !whole;
  if (threadIdx.x == kConsumers) {
    ring.Init(Shape::kWarpgroups * 4);
    for (int p = 0; p < kPanels; ++p) BarrierInit(fetched + 8 * p, 1);
    BarrierInitFence();
    PrefetchMap(params.x);
  }
  __syncthreads();
  if (in_cluster) ClusterBarrierRelaxed();
  LetNextStart();

  const BlockPosition block = PositionOf(blockIdx.x, params.output_blocks, params.token_blocks, params.group);
  const int part = blockIdx.y;
  const int all_stages = (params.depth_tiles + Shape::kTiles - 1) / Shape::kTiles;
  const int stage_begin = all_stages * part / params.split;
  const int stage_count = all_stages * (part + 1) / params.split - stage_begin;

  if (warp == kConsumers / 32) {
    if (lane == 0) {
      StageFetcher<Shape> fetcher(params, ring, block.output_block, block.token_block, stage_begin * Shape::kTiles);
      const int ahead = min(kStages, stage_count);
      for (int i = 0; i < ahead; ++i) fetcher.FetchWeights();
      WaitForPrevious();
      for (int i = 0; i < ahead; ++i) fetcher.FetchX();
      for (int i = ahead; i < stage_count; ++i) {
        fetcher.FetchWeights();
        fetcher.FetchX();
      }
    }
    __syncwarp();
    if (in_cluster) {
      ClusterBarrier();  // the sums of all parts are there
      if (Shape::kNorm) ClusterBarrier();
      ClusterBarrierRelaxed();  // no block ends while others reach into it
    }
    return;
  }

  const int first_panel = warp / 4 * kEach;
  typename Shape::Sum sums[kEach][kTokens / 2];
  Products<Shape, kBf16> products(params);
  products.Run(sums, ring, first_panel, stage_count);
  products.Finish(ring);
  NamedBarrier(1, kConsumers);  // all stages have been read: their memory is free
  WaitForPrevious();
  if (Shape::kNorm || whole) {
    const int first_output = (block.output_block * kPanels + first_panel) * 64;
    const int first_token = block.token_block * kTokens;
    const uint32_t tile = base + first_panel * Shape::kXTile;
    const uint32_t barrier = fetched + 8 * first_panel;
    const bool fetches = FetchesResidual<Shape>(params);
    if (fetches && threadIdx.x % 128 == 0) {
      for (int e = 0; e < kEach; ++e) {
        BarrierExpect(barrier + 8 * e, Shape::kTileOfY);
        TensorLoad(tile + e * Shape::kXTile, params.residual, first_output + e * 64, first_token, barrier + 8 * e);
      }
    }
    __syncwarp();
    if constexpr (Shape::kNorm) {
      static_assert(NormMemory<Shape>::kBytes <= kStages * Shape::kWeightStage);
      for (int e = 0; e < kEach && fetches; ++e) BarrierWait(barrier + 8 * e, 0);
      FinishNorm<Shape, kBf16>(sums, params, first_output, first_token, tile, NormMemory<Shape>{ring.weights});
    } else {
#pragma unroll
      for (int e = 0; e < kEach; ++e) {
        if (fetches) BarrierWait(barrier + 8 * e, 0);
        FinishTile<Shape, kBf16>(sums[e], params, first_output + e * 64, first_token, tile + e * Shape::kXTile,
                                 2 + warp / 4);
      }
    }
    if (threadIdx.x % 128 == 0) TensorStoreDrain();
  } else {
    // The rows of a warp's sums are its outputs in order, or by turns where codes are packed so.
    constexpr int kStep = Shape::kInt8 ? 2 : 1, kSecond = Shape::kInt8 ? 1 : 8;
    const uint32_t own =
        base + (lane % 4 * 2 * Shape::kPitch + first_panel * 64 + warp % 4 * 16 + lane / 4 * kStep) * 4;
#pragma unroll
    for (int i = 0; i < kEach * kTokens / 2; ++i) {
      const int e = i / (kTokens / 2), j = i % (kTokens / 2);
      const int token = j / 4 * 8 + j % 2;
      StoreSum(own + (token * Shape::kPitch + e * 64 + j / 2 % 2 * kSecond) * 4, sums[e][j]);
    }
    ClusterBarrier();
    if constexpr (Shape::kInt8) {
      StoreSplitCodes<Shape>(params, block, part, base);
    } else {
      StoreSplitTile<Shape, kBf16>(params, block, part, base);
    }
  }
  if (in_cluster) ClusterBarrierRelaxed();
#endif
}

}  // namespace tamis::cuda
