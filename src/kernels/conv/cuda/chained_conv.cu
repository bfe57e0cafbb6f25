// What bounds these layers is memory: y is four times as wide as what goes in and what comes out. So y is read where it
// is made: a block takes tiles of 64 rows one after another, both weights stay in its shared memory, and a tile of y is
// finished in the place where its residual arrived, from where the second product reads it and the copy engine stores
// it. A warp fetches x and residuals of the next tiles meanwhile. Two warpgroups multiply: each computes half of y's
// outputs, then half of z (of its rows, or of its outputs where they are 128).
#include <cuda_runtime.h>

#include <algorithm>

#include "src/kernels/conv/cuda/chained_conv.h"
#include "src/kernels/cuda/launch.h"
#include "src/kernels/gemm/cuda/gemm24_wgmma_parts.cuh"
#include "src/kernels/gemm/cuda/tensor_map.h"

namespace tamis::cuda {
namespace {

constexpr int kTokens = 64;
constexpr int kPanelBytes = kTokens * 128;  // of 64 columns of a tile
constexpr int kExpandPanels = kChainedOutputs / 64, kPanelsEach = kExpandPanels / 2;
constexpr int kWeightTile = static_cast<int>(kDenseTileBytes);
constexpr int kThreads = 2 * 128 + 32;

struct Limits {
  float low, high;
};

struct ChainedParams {
  CUtensorMap x, residual, y, z;
  const std::byte *weight, *second_weight;
  const float *bias, *second_bias;
  Limits limits, second_limits;
  bool has_residual;
  int tiles;
};

template <int kReducedPanelsValue>
struct ChainedShape {
  static constexpr int kReducedPanels = kReducedPanelsValue;
  static constexpr int kWeightBytes = kExpandPanels * kWeightTile;
  static constexpr int kSecondWeightBytes = kReducedPanels * kExpandPanels * kWeightTile;
  // x, and later z in its place; then the residual, and later y in its place.
  static constexpr int kNarrowBytes = kReducedPanels * kPanelBytes;
  static constexpr int kStageBytes = kNarrowBytes + kExpandPanels * kPanelBytes;
  static constexpr int kStages = kReducedPanels == 1 ? 3 : 2;
  static constexpr int kSharedBytes = kWeightBytes + kSecondWeightBytes + kStages * kStageBytes + 1024;
  static constexpr int kRowsOfZ = kReducedPanels == 1 ? kTokens / 2 : kTokens;  // that a warpgroup computes
};

// What TileLanes and FillTile ask of a shape.
template <int kRows>
struct RowsShape {
  static constexpr int kTokens = kRows;
};

__device__ __forceinline__ float Limit(float x, Limits limits) {
  x = x < limits.low ? limits.low : x;  // NaN stays NaN
  return x > limits.high ? limits.high : x;
}

__device__ __forceinline__ float2 BiasOf(const float* bias, int first_output) {
  if (bias == nullptr) return make_float2(0, 0);
  const int output = first_output + threadIdx.x / 32 % 4 * 16 + threadIdx.x % 32 / 4;
  return make_float2(bias[output], bias[output + 8]);
}

// Bias and activation on sums of 64 outputs, and the residual that lies in `tile`, which becomes the result.
template <int kRows>
__device__ __forceinline__ void FinishPanel(float (&sums)[kRows / 2], float2 bias, Limits limits, bool adds,
                                            uint32_t tile) {
  using Lanes = TileLanes<RowsShape<kRows>>;
  if (adds) {
    const uint32_t address = Lanes::Address(tile);
#pragma unroll
    for (int step = 0; step < Lanes::kSteps; ++step) {
      uint32_t m[Lanes::kMatrices];
      LoadTransposed(address + step * Lanes::kMatrices * 4 * 128, m);
#pragma unroll
      for (int j = 0; j < Lanes::kMatrices; ++j) {
        const float2 pair = UnpackPair<false>(m[j]);
        sums[(step * Lanes::kMatrices + j) * 2] += pair.x;
        sums[(step * Lanes::kMatrices + j) * 2 + 1] += pair.y;
      }
    }
  }
  FillTile<RowsShape<kRows>, false>(
      sums, tile, [&](float sum, int i) { return Limit(sum + (i / 2 % 2 == 0 ? bias.x : bias.y), limits); });
}

template <class Shape>
__global__ __launch_bounds__(kThreads, 1) void ChainedConvKernel(const __grid_constant__ ChainedParams params) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  constexpr int kStages = Shape::kStages;
  extern __shared__ uint8_t shared_bytes[];
  __shared__ __align__(8) uint64_t barriers[2 * kStages + 1];
  const uint32_t weights = (SharedAddress(shared_bytes) + 1023) & ~1023u;
  const uint32_t second_weights = weights + Shape::kWeightBytes;
  const uint32_t stages = second_weights + Shape::kSecondWeightBytes;
  const uint32_t full = SharedAddress(barriers), empty = full + 8 * kStages, weights_there = full + 16 * kStages;
  const int warp = __shfl_sync(0xffffffff, threadIdx.x / 32, 0), lane = threadIdx.x % 32;
  if (threadIdx.x == 256) {
    for (int s = 0; s < kStages; ++s) {
      BarrierInit(full + 8 * s, 1);
      BarrierInit(empty + 8 * s, 2);
    }
    BarrierInit(weights_there, 1);
    BarrierInitFence();
    PrefetchMap(params.x);
    PrefetchMap(params.y);
  }
  __syncthreads();
  LetNextStart();

  if (warp == 8) {
    if (lane == 0) {
      BarrierExpect(weights_there, Shape::kWeightBytes + Shape::kSecondWeightBytes);
      BulkLoad(weights, params.weight, Shape::kWeightBytes, weights_there);
      BulkLoad(second_weights, params.second_weight, Shape::kSecondWeightBytes, weights_there);
      WaitForPrevious();
      RingPosition<kStages> at;
      const uint32_t bytes = kPanelBytes * (1 + (params.has_residual ? kExpandPanels : 0));
      for (int tile = blockIdx.x; tile < params.tiles; tile += gridDim.x, at.Advance()) {
        const uint32_t stage = stages + at.stage * Shape::kStageBytes, barrier = full + 8 * at.stage;
        if (at.lap > 0) BarrierWait(empty + 8 * at.stage, (at.lap - 1) & 1);
        BarrierExpect(barrier, bytes);
        TensorLoad(stage, params.x, 0, tile * kTokens, barrier);
        for (int p = 0; p < kExpandPanels && params.has_residual; ++p) {
          TensorLoad(stage + Shape::kNarrowBytes + p * kPanelBytes, params.residual, p * 64, tile * kTokens, barrier);
        }
      }
    }
    return;
  }

  const int warpgroup = warp / 4, first_panel = warpgroup * kPanelsEach;
  const bool first_thread = threadIdx.x % 128 == 0;
  float2 bias[kPanelsEach];
#pragma unroll
  for (int e = 0; e < kPanelsEach; ++e) bias[e] = BiasOf(params.bias, (first_panel + e) * 64);
  const int panel_of_z = Shape::kReducedPanels == 1 ? 0 : warpgroup;
  const int row_of_z = Shape::kReducedPanels == 1 ? warpgroup * Shape::kRowsOfZ : 0;
  const float2 second_bias = BiasOf(params.second_bias, panel_of_z * 64);
  WaitForPrevious();
  BarrierWait(weights_there, 0);
  RingPosition<kStages> at;
  int last_stage = -1;  // whose stores are under way
#pragma unroll 1
  for (int tile = blockIdx.x; tile < params.tiles; tile += gridDim.x, at.Advance()) {
    const uint32_t narrow = stages + at.stage * Shape::kStageBytes, wide = narrow + Shape::kNarrowBytes;
    BarrierWait(full + 8 * at.stage, at.lap & 1);
    float sums[kPanelsEach][kTokens / 2];
    WgmmaFence();
    const uint64_t x = WgmmaDescriptor<128>(narrow);
#pragma unroll
    for (int e = 0; e < kPanelsEach; ++e) {
      const uint64_t w = WgmmaDescriptor<128>(weights + (first_panel + e) * kWeightTile);
#pragma unroll
      for (int k = 0; k < 4; ++k) WgmmaDense<kTokens, false>::Run(sums[e], w + 2 * k, x + 2 * k, k);
    }
    WgmmaCommit();
    WgmmaWait<0>();
    if (first_thread && last_stage >= 0) {
      TensorStoreDrain();
      BarrierArrive(empty + 8 * last_stage);
    }
    __syncwarp();
#pragma unroll
    for (int e = 0; e < kPanelsEach; ++e) {
      FinishPanel<kTokens>(sums[e], bias[e], params.limits, params.has_residual,
                           wide + (first_panel + e) * kPanelBytes);
    }
    FenceForCopyEngine();  // and for the tensor cores
    NamedBarrier(1, 256);  // y is complete, and x has been read
    if (first_thread) {
#pragma unroll
      for (int e = 0; e < kPanelsEach; ++e) {
        TensorStore(params.y, (first_panel + e) * 64, tile * kTokens, wide + (first_panel + e) * kPanelBytes);
      }
    }
    __syncwarp();

    float second_sums[Shape::kRowsOfZ / 2];
    WgmmaFence();
#pragma unroll
    for (int p = 0; p < kExpandPanels; ++p) {
      const uint64_t w = WgmmaDescriptor<128>(second_weights + (panel_of_z * kExpandPanels + p) * kWeightTile);
      const uint64_t y = WgmmaDescriptor<128>(wide + p * kPanelBytes + row_of_z * 128);
#pragma unroll
      for (int k = 0; k < 4; ++k) WgmmaDense<Shape::kRowsOfZ, false>::Run(second_sums, w + 2 * k, y + 2 * k, p + k);
    }
    WgmmaCommit();
    WgmmaWait<0>();
    const uint32_t tile_of_z = narrow + panel_of_z * kPanelBytes + row_of_z * 128;
    FinishPanel<Shape::kRowsOfZ>(second_sums, second_bias, params.second_limits, false, tile_of_z);
    FenceForCopyEngine();
    NamedBarrier(2 + warpgroup, 128);
    if (first_thread) TensorStore(params.z, panel_of_z * 64, tile * kTokens + row_of_z, tile_of_z);
    __syncwarp();
    last_stage = at.stage;
  }
  if (first_thread) TensorStoreDrain();
#endif
}

template <class F>
auto WithShape(const ChainedConvProblem& problem, F&& f) {
  return problem.reduced == 64 ? f(ChainedShape<1>()) : f(ChainedShape<2>());
}

Limits LimitsOf(const ActivationArgs& activation) {
  if (activation.kind == Activation::kNone) return {-__builtin_huge_valf(), __builtin_huge_valf()};
  const ActivationArgs args = WithLimits(activation);
  return {args.low, args.high};
}

}  // namespace

cudaError_t AllowChainedConv(const ChainedConvProblem& problem) {
  return WithShape(problem, [](auto shape) {
    using Shape = decltype(shape);
    return cudaFuncSetAttribute(ChainedConvKernel<Shape>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                Shape::kSharedBytes);
  });
}

cudaError_t LaunchChainedConv(const ChainedConvProblem& problem, const ChainedConvOperands& operands,
                              int multiprocessors, cudaStream_t stream) {
  return WithShape(problem, [&](auto shape) {
    using Shape = decltype(shape);
    ChainedParams params = {};
    params.weight = static_cast<const std::byte*>(operands.weight);
    params.second_weight = static_cast<const std::byte*>(operands.second_weight);
    params.bias = operands.bias, params.second_bias = operands.second_bias;
    params.limits = LimitsOf(problem.activation), params.second_limits = LimitsOf(problem.second_activation);
    params.has_residual = problem.residual;
    params.tiles = static_cast<int>((problem.rows + kTokens - 1) / kTokens);
    const auto map = [&](CUtensorMap* to, const void* rows, int64_t columns, int box_rows) {
      return MakeRowMap(to, rows, problem.rows, columns, box_rows, false);
    };
    cudaError_t error = map(&params.x, operands.x, kChainedDepth, kTokens);
    if (error == cudaSuccess) error = map(&params.y, operands.y, kChainedOutputs, kTokens);
    if (error == cudaSuccess) error = map(&params.z, operands.z, problem.reduced, Shape::kRowsOfZ);
    if (error == cudaSuccess && problem.residual) {
      error = map(&params.residual, operands.residual, kChainedOutputs, kTokens);
    }
    if (error != cudaSuccess) return error;
    LaunchShape launch;
    launch.grid = dim3(static_cast<unsigned>(std::min(params.tiles, multiprocessors)));
    launch.block = dim3(kThreads);
    launch.shared_bytes = Shape::kSharedBytes;
    return LaunchKernel(ChainedConvKernel<Shape>, launch, stream, params);
  });
}

}  // namespace tamis::cuda
