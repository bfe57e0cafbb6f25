// The product by warpgroup products of sm_90a, of a 2:4 or dense weight, persistent blocks.
//
// A block computes tiles of kPanels * 64 outputs x kTokens rows one after another, and its fetching warp is already
// stages ahead in the next tile while one is finished. A warpgroup may hold the sums of two panels: the larger the
// tile, the fewer bytes a multiplication needs from the level-2 cache, which is what bounds these products.
#pragma once

#include "src/kernels/gemm/cuda/finish_tile.cuh"

namespace tamis::cuda {

template <int kTokensValue, int kWarpgroupsValue, int kPanelsEachValue, int kTilesValue, int kStagesValue,
          bool kSparseValue = true, OperandType kType = OperandType::kSixteenBits>
struct PersistentShape {
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
  static constexpr int kPerMultiprocessor = 1;

  static constexpr int kThreads = (kWarpgroups + 1) * 128;
  // Of the 168 that each thread of three warpgroups starts with.
  static constexpr int kProductRegisters = 232;
  static constexpr int kFetchRegisters = 40;
  static_assert(kWarpgroups == 2, "the numbers of registers are for this");
  static constexpr int kXTile = kTokens * 128;  // bytes; of a panel's tile of y too
  static constexpr int kTileOfY = kInt8 ? kXTile / 2 : kXTile;
  static constexpr int kXStage = kTiles * kXTile;
  static constexpr int kWeightStage = kPanels * kTiles * static_cast<int>(kTileBytes);
  static constexpr int kStageBytes = kXStage + kWeightStage;
  static constexpr int kSharedBytes = kWarpgroups * kXTile + kStages * kStageBytes + 1024;
  static constexpr bool kCanSplit = false;
  static constexpr bool kPersistent = true;
  static constexpr bool kLines = false;
};

template <class Shape, bool kBf16>
__global__ __launch_bounds__(Shape::kThreads,
                             1) void Gemm24PersistentKernel(const __grid_constant__ WgmmaParams params) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  constexpr int kStages = Shape::kStages, kTokens = Shape::kTokens, kWarpgroups = Shape::kWarpgroups;
  extern __shared__ uint8_t shared_bytes[];
  __shared__ __align__(8) uint64_t barriers[2 * kStages + kWarpgroups];
  const uint32_t tiles_of_y = (SharedAddress(shared_bytes) + 1023) & ~1023u;
  const uint32_t base = tiles_of_y + kWarpgroups * Shape::kXTile;
  const uint32_t full = SharedAddress(barriers);
  const uint32_t fetched = full + 16 * kStages;  // residuals, one a warpgroup
  const StageRing<Shape> ring{base, base + kStages * Shape::kXStage, full, full + 8 * kStages};

  const int warp = __shfl_sync(0xffffffff, threadIdx.x / 32, 0);
  const int lane = threadIdx.x % 32;
  if (threadIdx.x == kWarpgroups * 128) {
    ring.Init(kWarpgroups * 4);
    for (int w = 0; w < kWarpgroups; ++w) BarrierInit(fetched + 8 * w, 1);
    BarrierInitFence();
    PrefetchMap(params.x);
  }
  __syncthreads();
  LetNextStart();

  const int tiles = params.output_blocks * params.token_blocks;
  const int stage_count = (params.depth_tiles + Shape::kTiles - 1) / Shape::kTiles;
  const auto position = [&](int tile) {
    return PositionOf(tile, params.output_blocks, params.token_blocks, params.group);
  };

  if (warp >= kWarpgroups * 4) {
    GiveRegisters<Shape::kFetchRegisters>();
    if (warp == kWarpgroups * 4 && lane == 0) {
      const int ahead = min(kStages, stage_count);
      const BlockPosition first = position(blockIdx.x);
      StageFetcher<Shape> fetcher(params, ring, first.output_block, first.token_block, 0);
      for (int i = 0; i < ahead; ++i) fetcher.FetchWeights();
      WaitForPrevious();
      for (int i = 0; i < ahead; ++i) fetcher.FetchX();
      int i = ahead;  // stages of the tile
      for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x, i = 0) {
        if (i == 0) {
          const BlockPosition block = position(tile);
          fetcher.Begin(block.output_block, block.token_block, 0);
        }
        for (; i < stage_count; ++i) {
          fetcher.FetchWeights();
          fetcher.FetchX();
        }
      }
    }
  } else {
    TakeRegisters<Shape::kProductRegisters>();
    const int warpgroup = warp / 4;
    const int first_panel = warpgroup * Shape::kPanelsEach;
    const uint32_t tile_of_y = tiles_of_y + warpgroup * Shape::kXTile;
    const bool fetches = FetchesResidual<Shape>(params);
    int residuals = 0;
    // The first thread: awaits the store of what the tile holds and has it filled with a panel's residual.
    const auto prepare_tile = [&](int first_output, int first_token) {
      if (threadIdx.x % 128 == 0) {
        TensorStoreDrain();
        if (fetches) {
          BarrierExpect(fetched + 8 * warpgroup, Shape::kTileOfY);
          TensorLoad(tile_of_y, params.residual, first_output, first_token, fetched + 8 * warpgroup);
        }
      }
      __syncwarp();
    };
    WaitForPrevious();
    Products<Shape, kBf16> products(params);
    for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
      const BlockPosition block = position(tile);
      const int first_output = (block.output_block * Shape::kPanels + first_panel) * 64;
      const int first_token = block.token_block * kTokens;
      prepare_tile(first_output, first_token);
      typename Shape::Sum sums[Shape::kPanelsEach][kTokens / 2];
      products.Run(sums, ring, first_panel, stage_count);
      products.Finish(ring);
#pragma unroll
      for (int e = 0; e < Shape::kPanelsEach; ++e) {
        if (e > 0) prepare_tile(first_output + e * 64, first_token);
        if (fetches) {
          BarrierWait(fetched + 8 * warpgroup, residuals++ & 1);
        } else {
          NamedBarrier(1 + warpgroup, 128);  // the tile is free
        }
        FinishTile<Shape, kBf16>(sums[e], params, first_output + e * 64, first_token, tile_of_y, 1 + warpgroup);
      }
    }
    if (threadIdx.x % 128 == 0) TensorStoreDrain();
  }
#endif
}

}  // namespace tamis::cuda
