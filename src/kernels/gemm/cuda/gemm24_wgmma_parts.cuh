// What the kernels of gemm24_wgmma share: fetching stages, multiplying them, finishing a tile of y.
//
// A stage holds kTiles * 64 inputs: of x, kTokens rows for each 64 inputs, in the 128-byte swizzle of the copy engine;
// of the weight, the packed tiles of kPanels rows of tiles, 2:4 (src/kernels/gemm/sparse_tile_format.h) or dense
// (src/kernels/gemm/dense_tiles.h) as `Shape::kSparse` says. Codes are counted in pairs, so that 64 inputs are 128 of
// them (src/kernels/gemm/sparse_code_format.h, src/kernels/gemm/code_tiles.h).
#pragma once

#include <type_traits>

#include "src/kernels/gemm/cuda/cuda_image_lines.h"
#include "src/kernels/gemm/cuda/gemm24_epilogue.cuh"
#include "src/kernels/gemm/cuda/hopper.cuh"
#include "src/kernels/gemm/cuda/wgmma_dense.cuh"
#include "src/kernels/gemm/cuda/wgmma_float8.cuh"
#include "src/kernels/gemm/cuda/wgmma_int8.cuh"
#include "src/kernels/gemm/cuda/wgmma_sp.cuh"
#include "src/kernels/gemm/dense_tiles.h"
#include "src/kernels/gemm/sparse_code_format.h"
#include "src/kernels/gemm/sparse_tile_format.h"

namespace tamis::cuda {

struct WgmmaParams {
  CUtensorMap x, y, residual;  // y and residual are used without a split
  const std::byte* weight;
  const float* bias;
  const void* residual_rows;
  void* y_rows;
  int rows, outputs;
  int depth_tiles;  // of 64 inputs
  int output_blocks, token_blocks;
  int group;  // so many blocks along the outputs are computed before the next rows of x
  int split;
  ActivationArgs activation;
  // Layer norm of the finished rows, over all outputs; null: none.
  const void *norm_scale, *norm_bias;  // of x's type; the bias may be null
  float epsilon;
  // Of products of codes; `bias` and `activation` are as ever. Of float8 only scale and bias count.
  const Int8Channel* channels;
  Int8Types types;
  bool through_shared;  // tiles are finished from shared memory although the depth is not split
  // Rows are pixels of images and x holds the images; otherwise `kernel_w` and `kernel_h` are 1.
  bool images;
  int run_tiles;  // of the channels of one kernel position
  int kernel_h, kernel_w, dilation_h, dilation_w;
  int out_h, out_w, stride_h, stride_w, pad_h, pad_w;
  // Of images whose lines stay in shared memory (gemm24_lines.cuh): token blocks are their tiles.
  LineTile lines;
  int line_buffers, line_stages;
  uint32_t line_bytes;  // of a buffer
};

// What x and the weight are of; codes are counted in pairs.
enum class OperandType { kSixteenBits, kInt8, kFloat8 };

template <class Shape, class = void>
inline constexpr bool kIsFloat8 = false;
template <class Shape>
inline constexpr bool kIsFloat8<Shape, std::enable_if_t<Shape::kFloat8>> = true;

template <bool kSparse, bool kCodes>
inline constexpr uint32_t kWeightTileBytes = static_cast<uint32_t>(!kSparse ? kDenseTileBytes
                                                                   : kCodes ? kSparseCodeTileBytes
                                                                            : kSparseTileBytes);

struct BlockPosition {
  int output_block, token_block;
};
// Blocks that run at the same time lie in a rectangle, so that they share what they read in the level-2 cache.
__device__ __forceinline__ BlockPosition PositionOf(int id, int output_blocks, int token_blocks, int group) {
  const int whole = group * token_blocks;
  const int first = id / whole * group;
  const int width = min(group, output_blocks - first);
  return {first + id % whole % width, id % whole / width};
}

// The first pixel of a tile of lines.
struct TileCorner {
  int image, line;
};
__device__ __forceinline__ TileCorner CornerOf(const LineTile& lines, int tile) {
  return {tile / lines.line_blocks * lines.images, tile % lines.line_blocks * lines.lines};
}

// Where the tiles of 64 inputs of a block's rows of x are found, in the order of the packed weights. One thread's.
class XCursor {
 public:
  __device__ __forceinline__ XCursor(const WgmmaParams& params, int first_row, int first_tile)
      : row_(first_row), run_tile_(first_tile % params.run_tiles) {
    const int position = first_tile / params.run_tiles;
    s_ = position % params.kernel_w;
    r_ = position / params.kernel_w;
    if (params.images) {
      w_ = first_row % params.out_w * params.stride_w - params.pad_w;
      const int line = first_row / params.out_w;
      h_ = line % params.out_h * params.stride_h - params.pad_h;
      batch_ = line / params.out_h;
    }
  }
  // Fetches the next tile; zeros once there are no more.
  __device__ __forceinline__ void Fetch(const WgmmaParams& params, uint32_t to, uint32_t barrier) {
    const int column = (r_ < params.kernel_h ? run_tile_ : params.run_tiles) * 64;
    if (params.images) {
      ImageLoad(to, params.x, column, w_, h_, batch_, static_cast<uint16_t>(s_ * params.dilation_w),
                static_cast<uint16_t>(r_ < params.kernel_h ? r_ * params.dilation_h : 0), barrier);
    } else {
      TensorLoad(to, params.x, column, row_, barrier);
    }
    if (++run_tile_ < params.run_tiles) return;
    run_tile_ = 0;
    if (++s_ < params.kernel_w) return;
    s_ = 0;
    ++r_;
  }

 private:
  int row_, run_tile_;
  int s_, r_;                      // of the kernel
  int w_ = 0, h_ = 0, batch_ = 0;  // of the first pixel
};

// The barriers and buffers of a ring of stages in shared memory; `Shape` gives its sizes.
template <class Shape>
struct StageRing {
  uint32_t x, weights;   // of all stages
  uint32_t full, empty;  // one barrier of 8 bytes a stage

  __device__ __forceinline__ uint32_t XOf(int stage) const { return x + stage * Shape::kXStage; }
  __device__ __forceinline__ uint32_t WeightsOf(int stage) const { return weights + stage * Shape::kWeightStage; }

  // One thread.
  __device__ __forceinline__ void Init(int consumer_warps) const {
    for (int s = 0; s < Shape::kStages; ++s) {
      BarrierInit(full + 8 * s, 1);
      BarrierInit(empty + 8 * s, consumer_warps);
    }
  }
  // A whole warp that has finished reading.
  __device__ __forceinline__ void Release(int stage) const {
    if (threadIdx.x % 32 == 0) BarrierArrive(empty + 8 * stage);
    __syncwarp();
  }
};

// A place in the ring, and how often it has gone round. Counted and not computed: a division in every stage would take
// longer than the fetch of a small one.
template <int kStages>
struct RingPosition {
  int stage = 0;
  uint32_t lap = 0;
  __device__ __forceinline__ void Advance() {
    if (++stage == kStages) stage = 0, ++lap;
  }
};

// Fills the stages; one thread. Weights and x of a stage are fetched apart, so that weights may go ahead of the wait
// for the previous kernel: FetchWeights makes the stage its own, FetchX must follow once for each.
template <class Shape>
class StageFetcher {
 public:
  __device__ __forceinline__ StageFetcher(const WgmmaParams& params, const StageRing<Shape>& ring, int output_block,
                                          int token_block, int first_tile)
      : params_(params), ring_(ring), cursor_(params, token_block * Shape::kTokens, first_tile) {
    BeginWeights(output_block, first_tile);
  }
  __device__ __forceinline__ void Begin(int output_block, int token_block, int first_tile) {
    BeginWeights(output_block, first_tile);
    cursor_ = XCursor(params_, token_block * Shape::kTokens, first_tile);
  }
  __device__ __forceinline__ void FetchWeights() {
    constexpr uint32_t kTileBytes = Shape::kTileBytes;
    const int s = weights_.stage;
    if (weights_.lap > 0) BarrierWait(ring_.empty + 8 * s, (weights_.lap - 1) & 1);
    const uint32_t full = ring_.full + 8 * s;
    BarrierExpect(full, Shape::kStageBytes);
#pragma unroll
    for (int p = 0; p < Shape::kPanels; ++p) {
      const uint32_t to = ring_.WeightsOf(s) + p * Shape::kTiles * kTileBytes;
      if (Shape::kTiles == 1 || tiles_left_ >= Shape::kTiles) {
        BulkLoad(to, rows_[p], Shape::kTiles * kTileBytes, full);
      } else {  // what is missing is the last tile again: its x is zero
        for (int t = 0; t < Shape::kTiles; ++t) {
          BulkLoad(to + t * kTileBytes, rows_[p] + min(t, tiles_left_ - 1) * kTileBytes, kTileBytes, full);
        }
      }
      rows_[p] += Shape::kTiles * kTileBytes;
    }
    tiles_left_ -= Shape::kTiles;
    weights_.Advance();
  }
  __device__ __forceinline__ void FetchX() {
    const int s = x_.stage;
    for (int t = 0; t < Shape::kTiles; ++t) {
      cursor_.Fetch(params_, ring_.XOf(s) + t * Shape::kXTile, ring_.full + 8 * s);
    }
    x_.Advance();
  }

 private:
  __device__ __forceinline__ void BeginWeights(int output_block, int first_tile) {
    const int panels = (params_.outputs + 63) / 64;
#pragma unroll
    for (int p = 0; p < Shape::kPanels; ++p) {
      // A panel beyond the last is the last again: its outputs are not stored.
      const int panel = min(output_block * Shape::kPanels + p, panels - 1);
      rows_[p] = params_.weight + (static_cast<int64_t>(panel) * params_.depth_tiles + first_tile) * Shape::kTileBytes;
    }
    tiles_left_ = params_.depth_tiles - first_tile;
  }

  const WgmmaParams& params_;
  const StageRing<Shape>& ring_;
  XCursor cursor_;
  const std::byte* rows_[Shape::kPanels];
  int tiles_left_;
  RingPosition<Shape::kStages> weights_, x_;
};

// One warpgroup: sums = weights of kPanelsEach panels from `panel` on, times x, over the next `count` > 0 stages. The
// products of one stage run while the next stage is awaited; they read the codes from registers
// until they end, so that two sets of registers take turns and are kept alive until then. Run leaves the last products
// running; Finish awaits them.
template <class Shape>
struct SparseProducts {
  static constexpr int kEach = Shape::kPanelsEach;
  static constexpr int kWords = Shape::kInt8 || kIsFloat8<Shape> ? 2 : 1;  // of codes, of a tile
  using Sums = typename Shape::Sum[kEach][Shape::kTokens / 2];
  using Codes = uint32_t[kEach][Shape::kTiles][kWords];
  Codes codes[2] = {};
  RingPosition<Shape::kStages> position;
  int last_stage = 0;

  template <class Instruction>
  __device__ __forceinline__ void Step(Sums& sums, const StageRing<Shape>& ring, int panel, int i, Codes& own,
                                       const Codes& previous) {
    static_assert(Instruction::kWords == kWords && kSparseCodeValues == kSparseTileValues);
    const int s = position.stage;
    BarrierWait(ring.full + 8 * s, position.lap & 1);
    const uint32_t tiles = ring.WeightsOf(s) + panel * Shape::kTiles * Shape::kTileBytes;
    const uint32_t codes_of_thread = tiles + static_cast<uint32_t>(kSparseTileValues) + threadIdx.x % 128 * 4 * kWords;
#pragma unroll
    for (int e = 0; e < kEach; ++e) {
#pragma unroll
      for (int t = 0; t < Shape::kTiles; ++t) {
        LoadCodes(codes_of_thread + (e * Shape::kTiles + t) * Shape::kTileBytes, own[e][t]);
      }
    }
    WgmmaFence();
#pragma unroll
    for (int t = 0; t < Shape::kTiles; ++t) {
      const uint64_t b = WgmmaDescriptor<128>(ring.XOf(s) + t * Shape::kXTile);
#pragma unroll
      for (int e = 0; e < kEach; ++e) {
        const uint64_t a = WgmmaDescriptor<64>(tiles + (e * Shape::kTiles + t) * Shape::kTileBytes);
        Instruction::RunTile(sums[e], a, b, own[e][t], i + t);
      }
    }
    WgmmaCommit();
    WgmmaWait<1>();
    Keep(previous);
    if (i > 0) ring.Release(last_stage);
    last_stage = s;
    position.Advance();
  }
  static __device__ __forceinline__ void Keep(const Codes& registers) {
#pragma unroll
    for (int e = 0; e < kEach; ++e) {
#pragma unroll
      for (int t = 0; t < Shape::kTiles; ++t) KeepCodes(registers[e][t]);
    }
  }
  template <class Instruction>
  __device__ __forceinline__ void RunBy(Sums& sums, const StageRing<Shape>& ring, int panel, int count) {
#pragma unroll 1
    for (int i = 0; i < count; i += 2) {
      Step<Instruction>(sums, ring, panel, i, codes[0], codes[1]);
      if (i + 1 < count) Step<Instruction>(sums, ring, panel, i + 1, codes[1], codes[0]);
    }
  }
  __device__ __forceinline__ void Finish(const StageRing<Shape>& ring) {
    WgmmaWait<0>();
    Keep(codes[0]);
    Keep(codes[1]);
    ring.Release(last_stage);
  }
};

// The same of a dense weight, whose products read shared memory only.
template <class Shape>
struct DenseProducts {
  static constexpr int kEach = Shape::kPanelsEach;
  using Sums = typename Shape::Sum[kEach][Shape::kTokens / 2];
  RingPosition<Shape::kStages> position;
  int last_stage = 0;

  template <class Instruction>
  __device__ __forceinline__ void RunBy(Sums& sums, const StageRing<Shape>& ring, int panel, int count) {
#pragma unroll 1
    for (int i = 0; i < count; ++i) {
      const int s = position.stage;
      BarrierWait(ring.full + 8 * s, position.lap & 1);
      const uint32_t tiles = ring.WeightsOf(s) + panel * Shape::kTiles * Shape::kTileBytes;
      WgmmaFence();
#pragma unroll
      for (int t = 0; t < Shape::kTiles; ++t) {
        const uint64_t b = WgmmaDescriptor<128>(ring.XOf(s) + t * Shape::kXTile);
#pragma unroll
        for (int e = 0; e < kEach; ++e) {
          const uint64_t a = WgmmaDescriptor<128>(tiles + (e * Shape::kTiles + t) * Shape::kTileBytes);
#pragma unroll
          for (int k = 0; k < 4; ++k) {
            Instruction::Run(sums[e], a + 2 * k, b + 2 * k, i + t + k);
          }
        }
      }
      WgmmaCommit();
      WgmmaWait<1>();
      if (i > 0) ring.Release(last_stage);
      last_stage = s;
      position.Advance();
    }
  }
  __device__ __forceinline__ void Finish(const StageRing<Shape>& ring) {
    WgmmaWait<0>();
    ring.Release(last_stage);
  }
};

// Calls run(instruction) with the product for the operands' types: codes of the weight are s8, x's of either sign.
template <class Shape, bool kBf16, class F>
__device__ __forceinline__ void WithInstruction(bool x_unsigned, F&& run) {
  constexpr int kColumns = Shape::kTokens;
  if constexpr (kIsFloat8<Shape> && Shape::kSparse) {
    run(WgmmaSpFloat8<kColumns>());
  } else if constexpr (kIsFloat8<Shape>) {
    run(WgmmaFloat8<kColumns>());
  } else if constexpr (Shape::kInt8 && Shape::kSparse) {
    x_unsigned ? run(WgmmaSpInt8<kColumns, true>()) : run(WgmmaSpInt8<kColumns, false>());
  } else if constexpr (Shape::kInt8) {
    x_unsigned ? run(WgmmaInt8<kColumns, true>()) : run(WgmmaInt8<kColumns, false>());
  } else if constexpr (Shape::kSparse) {
    run(WgmmaSp<kColumns, kBf16>());
  } else {
    run(WgmmaDense<kColumns, kBf16>());
  }
}

template <class Shape, bool kBf16>
struct Products : std::conditional_t<Shape::kSparse, SparseProducts<Shape>, DenseProducts<Shape>> {
  bool x_unsigned;  // of codes
  explicit __device__ __forceinline__ Products(const WgmmaParams& params) : x_unsigned(params.types.x_unsigned) {}
  __device__ __forceinline__ void Run(typename Shape::Sum (&sums)[Shape::kPanelsEach][Shape::kTokens / 2],
                                      const StageRing<Shape>& ring, int panel, int count) {
    WithInstruction<Shape, kBf16>(
        x_unsigned, [&](auto instruction) { this->template RunBy<decltype(instruction)>(sums, ring, panel, count); });
  }
};

// One warpgroup: scales (of float8), bias and residual onto the sums of 64 outputs. If there is a residual, its part
// has arrived in `tile` in shared memory: [token][64 outputs] in the 128-byte swizzle.
template <class Shape>
struct TileLanes {
  static constexpr int kMatrices = Shape::kTokens >= 16 ? 4 : 2;
  static constexpr int kSteps = Shape::kTokens / (kMatrices * 4);
  // This lane's row of the four (two) matrices of a step.
  static __device__ __forceinline__ uint32_t Address(uint32_t tile) {
    const int warp = threadIdx.x / 32 % 4, lane = threadIdx.x % 32;
    const int token = (kMatrices == 4 ? lane / 16 * 8 : 0) + lane % 8;
    const int chunk = (warp * 2 + lane / 8 % 2) ^ (lane % 8);
    return tile + token * 128 + chunk * 16;
  }
};

template <class Shape, bool kBf16>
__device__ __forceinline__ void AddBiasAndResidual(float (&sums)[Shape::kTokens / 2], const WgmmaParams& params,
                                                   int first_output, uint32_t tile) {
  using Lanes = TileLanes<Shape>;
  const int output = first_output + threadIdx.x / 32 % 4 * 16 + threadIdx.x % 32 / 4;
  if constexpr (kIsFloat8<Shape>) {
    const Int8Channel low = output < params.outputs ? params.channels[output] : Int8Channel{};
    const Int8Channel high = output + 8 < params.outputs ? params.channels[output + 8] : Int8Channel{};
#pragma unroll
    for (int i = 0; i < Shape::kTokens / 2; ++i) {
      const Int8Channel& channel = i / 2 % 2 == 0 ? low : high;
      sums[i] = fmaf(channel.scale, sums[i], channel.bias);
    }
  } else if (params.bias != nullptr) {
    const float low = output < params.outputs ? params.bias[output] : 0.0f;
    const float high = output + 8 < params.outputs ? params.bias[output + 8] : 0.0f;
#pragma unroll
    for (int i = 0; i < Shape::kTokens / 2; ++i) sums[i] += i / 2 % 2 == 0 ? low : high;
  }
  if (params.residual_rows == nullptr) return;
  const uint32_t address = Lanes::Address(tile);
#pragma unroll
  for (int step = 0; step < Lanes::kSteps; ++step) {
    uint32_t m[Lanes::kMatrices];
    LoadTransposed(address + step * Lanes::kMatrices * 4 * 128, m);
#pragma unroll
    for (int j = 0; j < Lanes::kMatrices; ++j) {
      const float2 pair = UnpackPair<kBf16>(m[j]);
      sums[(step * Lanes::kMatrices + j) * 2] += pair.x;
      sums[(step * Lanes::kMatrices + j) * 2 + 1] += pair.y;
    }
  }
}

// Puts finish(sum, i) for every sum i into `tile`.
template <class Shape, bool kBf16, class F>
__device__ __forceinline__ void FillTile(const float (&sums)[Shape::kTokens / 2], uint32_t tile, F&& finish) {
  using Lanes = TileLanes<Shape>;
  const uint32_t address = Lanes::Address(tile);
#pragma unroll
  for (int step = 0; step < Lanes::kSteps; ++step) {
    uint32_t m[Lanes::kMatrices];
#pragma unroll
    for (int j = 0; j < Lanes::kMatrices; ++j) {
      const int i = (step * Lanes::kMatrices + j) * 2;
      m[j] = PackPair<kBf16>(finish(sums[i], i), finish(sums[i + 1], i + 1));
    }
    StoreTransposed(address + step * Lanes::kMatrices * 4 * 128, m);
  }
}

// The tile leaves as 64 columns of y by the copy engine; of a tile of lines `first_token` is its number. Returns when
// the sums are in `tile`; one thread has begun the store and awaits it by TensorStoreDrain() before the tile is written
// again. `barrier` is the named barrier of this warpgroup.
template <class Shape>
__device__ __forceinline__ void SendTile(const WgmmaParams& params, int first_output, int first_token, uint32_t tile,
                                         int barrier) {
  FenceForCopyEngine();
  NamedBarrier(barrier, 128);
  if (threadIdx.x % 128 != 0) return;
  if constexpr (Shape::kLines) {
    const TileCorner corner = CornerOf(params.lines, first_token);
    PixelsStore(params.y, first_output, 0, corner.line, corner.image, tile);
  } else {
    TensorStore(params.y, first_output, first_token, tile);
  }
}

// Bias, residual and activation on the sums, and their way to y.
template <class Shape, bool kBf16>
__device__ __forceinline__ void StoreTile(float (&sums)[Shape::kTokens / 2], const WgmmaParams& params,
                                          int first_output, int first_token, uint32_t tile, int barrier) {
  AddBiasAndResidual<Shape, kBf16>(sums, params, first_output, tile);
  DispatchActivation(params.activation.kind, [&](auto kind) {
    FillTile<Shape, kBf16>(sums, tile,
                           [&](float sum, int) { return ActivateAs<decltype(kind)::kValue>(sum, params.activation); });
  });
  SendTile<Shape>(params, first_output, first_token, tile, barrier);
}

}  // namespace tamis::cuda
