// The convolution by warpgroup products of sm_90a whose images stay in shared memory, of a 2:4 or dense weight.
//
// A block computes 64 outputs of the pixels of a LineTile. For every 64 channels one warp fetches the tile's lines
// once, and the products of all positions of the kernel read them there, each from another row on (a descriptor may
// begin at any row: the swizzle is one of addresses). A second warp fetches weights, tile after tile, and a warpgroup
// multiplies. In im2col mode (gemm24_wgmma.cuh) every position fetches its pixels anew, nine times for 3 x 3, and what
// a multiprocessor takes in is what bounds such a product.
//
// Where tiles are few, two blocks of a cluster divide the channels of a tile twice as wide: each takes half of the
// steps, and sends the sums of half of the columns to the other, which finishes those.
#pragma once

#include "src/kernels/gemm/cuda/exchange_sums.cuh"
#include "src/kernels/gemm/cuda/finish_tile.cuh"

namespace tamis::cuda {

inline constexpr int kMostLineStages = 16;
inline constexpr int kMostLineBuffers = 2;

template <int kColumnsValue, int kPerMultiprocessorValue, bool kSparseValue, bool kInt8Value = false>
struct LinesShape {
  static constexpr bool kInt8 = kInt8Value;
  using Sum = std::conditional_t<kInt8, int32_t, float>;
  static constexpr bool kSparse = kSparseValue;
  static constexpr bool kLines = true;
  static constexpr uint32_t kTileBytes = kWeightTileBytes<kSparse, kInt8>;
  static constexpr int kTokens = kColumnsValue;
  static constexpr int kPerMultiprocessor = kPerMultiprocessorValue;
  static constexpr int kThreads = 128 + 64;
  // Halves of the columns are finished 16 at a time, in registers.
  static constexpr bool kCanSplit = !kInt8 && kTokens % 32 == 0;
  static constexpr int kExchangeBytes = kCanSplit ? 64 * kTokens / 2 * 4 : 0;
};

// What finishing half of a tile's columns needs to know of them (gemm24_wgmma_parts.cuh).
template <class Shape>
struct HalfOfColumns {
  static constexpr int kTokens = Shape::kTokens / 2;
};

// Where a ring of buffers stands whose length is known at run time.
struct LinePosition {
  int at = 0;
  uint32_t lap = 0;
  __device__ __forceinline__ void Advance(int length) {
    if (++at == length) at = 0, ++lap;
  }
};

// Shared memory: buffers of lines, then stages of weights, a pair of barriers each; then the sums of the other block.
struct LineMemory {
  uint32_t x, weights, exchange;
  uint32_t x_full, x_empty, full, empty;
};

// The tiles of 64 channels that a block takes.
struct ChannelRuns {
  int begin, end;
  __device__ __forceinline__ ChannelRuns(const WgmmaParams& params, int part)
      : begin(params.run_tiles * part / params.split), end(params.run_tiles * (part + 1) / params.split) {}
};

template <class Shape>
__device__ __forceinline__ void FetchLineWeights(const WgmmaParams& params, const LineMemory& memory, int output_block,
                                                 ChannelRuns runs) {
  const int positions = params.kernel_h * params.kernel_w;
  const std::byte* panel = params.weight + static_cast<int64_t>(output_block) * params.depth_tiles * Shape::kTileBytes;
  LinePosition stage;
  for (int run = runs.begin; run < runs.end; ++run) {
    for (int position = 0; position < positions; ++position) {
      if (stage.lap > 0) BarrierWait(memory.empty + 8 * stage.at, (stage.lap - 1) & 1);
      const uint32_t full = memory.full + 8 * stage.at;
      BarrierExpect(full, Shape::kTileBytes);
      const uint32_t offset = static_cast<uint32_t>(position * params.run_tiles + run) * Shape::kTileBytes;
      BulkLoad(memory.weights + stage.at * Shape::kTileBytes, panel + offset, Shape::kTileBytes, full);
      stage.Advance(params.line_stages);
    }
  }
}

__device__ __forceinline__ void FetchLines(const WgmmaParams& params, const LineMemory& memory, TileCorner corner,
                                           ChannelRuns runs) {
  LinePosition buffer;
  for (int run = runs.begin; run < runs.end; ++run) {
    if (buffer.lap > 0) BarrierWait(memory.x_empty + 8 * buffer.at, (buffer.lap - 1) & 1);
    const uint32_t full = memory.x_full + 8 * buffer.at;
    BarrierExpect(full, params.lines.HeldRows() * 128);
    PixelsLoad(memory.x + buffer.at * params.line_bytes, params.x, run * 64, -params.pad_w, corner.line - params.pad_h,
               corner.image, full);
    buffer.Advance(params.line_buffers);
  }
}

// The warpgroup: sums = its panel of the weight times the lines. The products of two tiles of the weight run while the
// next is awaited: those of a 2:4 tile with 128 pixels take 160 cycles, awaiting and beginning them some 260. 2:4 ones
// read their codes from registers until they end (SparseProducts), so that three registers take turns.
template <class Shape>
class LineProducts {
 public:
  using Sums = typename Shape::Sum[Shape::kTokens / 2];
  __device__ __forceinline__ LineProducts(const WgmmaParams& params, const LineMemory& memory, ChannelRuns runs)
      : params_(params), memory_(memory), tiles_((runs.end - runs.begin) * params.kernel_h * params.kernel_w) {}

  __device__ __forceinline__ void Run(Sums& sums) {
    WithInstruction<Shape, false>(params_.types.x_unsigned,
                                  [&](auto instruction) { RunBy<decltype(instruction)>(sums); });
  }

 private:
  static constexpr int kWords = Shape::kInt8 ? 2 : 1;  // of codes, of a tile of a 2:4 weight
  using Codes = uint32_t[kWords];
  template <class Instruction>
  __device__ __forceinline__ void RunBy(Sums& sums) {
    Codes codes[3] = {};
#pragma unroll 1
    for (int i = 0; i < tiles_; i += 3) {
      Step<Instruction>(sums, i, codes[0], codes[1]);
      if (i + 1 < tiles_) Step<Instruction>(sums, i + 1, codes[1], codes[2]);
      if (i + 2 < tiles_) Step<Instruction>(sums, i + 2, codes[2], codes[0]);
    }
    WgmmaWait<0>();
    for (const Codes& own : codes) KeepCodes(own);
  }
  // `oldest`: the codes of the products before the last ones.
  template <class Instruction>
  __device__ __forceinline__ void Step(Sums& sums, int i, Codes& own, const Codes& oldest) {
    if (position_ == 0) BarrierWait(memory_.x_full + 8 * buffer_.at, buffer_.lap & 1);
    BarrierWait(memory_.full + 8 * stage_.at, stage_.lap & 1);
    const uint32_t tile = memory_.weights + stage_.at * Shape::kTileBytes;
    if constexpr (Shape::kSparse) {
      LoadCodes(tile + static_cast<uint32_t>(kSparseTileValues) + threadIdx.x * 4 * kWords, own);
    }
    const uint32_t row = r_ * params_.lines.row_step + s_ * params_.lines.column_step;
    const uint64_t b = WgmmaDescriptor<128>(memory_.x + buffer_.at * params_.line_bytes + row * 128);
    WgmmaFence();
    if constexpr (Shape::kSparse) {
      Instruction::RunTile(sums, WgmmaDescriptor<64>(tile), b, own, i);
    } else {
      const uint64_t a = WgmmaDescriptor<128>(tile);
#pragma unroll
      for (int k = 0; k < 4; ++k) Instruction::Run(sums, a + 2 * k, b + 2 * k, i + k);
    }
    WgmmaCommit();
    WgmmaWait<2>();
    KeepCodes(oldest);
    // What those products have read is free: a stage, and once a run of channels has begun two tiles ago the lines of
    // the one before.
    if (i > 1) Release(memory_.empty + 8 * oldest_stage_);
    if (i > position_ && position_ == 1) Release(memory_.x_empty + 8 * last_buffer_);
    oldest_stage_ = last_stage_;
    last_stage_ = stage_.at;
    stage_.Advance(params_.line_stages);
    ++position_;
    if (++s_ < params_.kernel_w) return;
    s_ = 0;
    if (++r_ < params_.kernel_h) return;
    r_ = position_ = 0;
    last_buffer_ = buffer_.at;
    buffer_.Advance(params_.line_buffers);
  }
  static __device__ __forceinline__ void Release(uint32_t barrier) {
    if (threadIdx.x % 32 == 0) BarrierArrive(barrier);
    __syncwarp();
  }

  const WgmmaParams& params_;
  const LineMemory& memory_;
  const int tiles_;  // of the weight
  LinePosition stage_, buffer_;
  int last_stage_ = 0, oldest_stage_ = 0, last_buffer_ = 0;
  int position_ = 0, r_ = 0, s_ = 0;  // of the kernel, and as line and pixel
};

// The columns from `first` on that are pixels of y, which lie in `tile`.
template <int kColumns>
__device__ __forceinline__ void StorePixels(const WgmmaParams& params, int first_output, TileCorner corner, int first,
                                            uint32_t tile) {
  const LineTile& lines = params.lines;
  const int chunk = threadIdx.x % 8, image_rows = lines.LinesApart() * lines.pitch;
  if (first_output + chunk * 8 >= params.outputs) return;  // a multiple of 8
  for (int row = threadIdx.x / 8; row < kColumns; row += 128 / 8) {
    const int column = first + row;
    const int image = column / image_rows, in_image = column % image_rows;
    const int line = in_image / lines.pitch, w = in_image % lines.pitch;
    const int h = corner.line + line, batch = corner.image + image;
    if (image >= lines.images || line >= lines.lines || h >= params.out_h || w >= params.out_w) continue;
    const int64_t pixel = (static_cast<int64_t>(batch) * params.out_h + h) * params.out_w + w;
    if (pixel >= params.rows) continue;
    uint4 v;
    asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "r"(tile + row * 128 + (chunk ^ row % 8) * 16)
                 : "memory");
    auto* const y = static_cast<uint16_t*>(params.y_rows) + pixel * params.outputs + first_output + chunk * 8;
    *reinterpret_cast<uint4*>(y) = v;
  }
}

// Finishes the half of the columns that is this block's. The residual, if there is one, is under way to `base`; the
// other block has started.
template <class Shape>
__device__ __forceinline__ void FinishHalf(const float (&sums)[Shape::kTokens / 2], const WgmmaParams& params,
                                           int first_output, TileCorner corner, int part, uint32_t base,
                                           uint32_t exchange, uint32_t fetched) {
  using Half = HalfOfColumns<Shape>;
  const int first = part * Half::kTokens;
  const uint32_t tile = base + first * 128;
  float own[Half::kTokens / 2];
  ExchangeSums<Shape>(sums, exchange, part, own);
  if (params.residual_rows != nullptr) BarrierWait(fetched, 0);
  AddBiasAndResidual<Half, false>(own, params, first_output, tile);
  DispatchActivation(params.activation.kind, [&](auto kind) {
    FillTile<Half, false>(own, tile,
                          [&](float sum, int) { return ActivateAs<decltype(kind)::kValue>(sum, params.activation); });
  });
  NamedBarrier(1, 128);
  StorePixels<Half::kTokens>(params, first_output, corner, first, tile);
}

template <class Shape>
__global__ __launch_bounds__(Shape::kThreads, Shape::kPerMultiprocessor) void Gemm24LinesKernel(
    const __grid_constant__ WgmmaParams params) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  constexpr int kConsumers = 128;
  extern __shared__ uint8_t shared_bytes[];
  __shared__ __align__(8) uint64_t barriers[2 * kMostLineStages + 2 * kMostLineBuffers + 1];
  const uint32_t base = (SharedAddress(shared_bytes) + 1023) & ~1023u;
  const uint32_t first_barrier = SharedAddress(barriers);
  constexpr int kX = 8 * kMostLineBuffers, kStages = 8 * kMostLineStages;
  const LineMemory memory{base,
                          base + params.line_buffers * params.line_bytes,
                          base + params.line_buffers * params.line_bytes + params.line_stages * Shape::kTileBytes,
                          first_barrier,
                          first_barrier + kX,
                          first_barrier + 2 * kX,
                          first_barrier + 2 * kX + kStages};
  const uint32_t fetched = first_barrier + 2 * kX + 2 * kStages;  // the residual

  const int warp = __shfl_sync(0xffffffff, threadIdx.x / 32, 0);
  const int lane = threadIdx.x % 32;
  if (threadIdx.x == kConsumers) {
    for (int i = 0; i < params.line_buffers; ++i) {
      BarrierInit(memory.x_full + 8 * i, 1);
      BarrierInit(memory.x_empty + 8 * i, kConsumers / 32);
    }
    for (int i = 0; i < params.line_stages; ++i) {
      BarrierInit(memory.full + 8 * i, 1);
      BarrierInit(memory.empty + 8 * i, kConsumers / 32);
    }
    BarrierInit(fetched, 1);
    BarrierInitFence();
    PrefetchMap(params.x);
  }
  for (int i = threadIdx.x; i < params.line_buffers * params.lines.zero_rows * 8; i += Shape::kThreads) {
    const int chunks = params.lines.zero_rows * 8;
    const uint32_t row = base + i / chunks * params.line_bytes + params.lines.HeldRows() * 128;
    asm volatile("st.shared.v4.u32 [%0], {%1, %1, %1, %1};\n" ::"r"(row + i % chunks * 16), "r"(0) : "memory");
  }
  FenceForCopyEngine();
  __syncthreads();
  const bool divided = Shape::kCanSplit && params.split > 1;
  if (divided) ClusterArriveRelaxed();
  LetNextStart();

  const BlockPosition block = PositionOf(blockIdx.x, params.output_blocks, params.token_blocks, params.group);
  const TileCorner corner = CornerOf(params.lines, block.token_block);
  const int part = blockIdx.y;
  const ChannelRuns runs(params, part);
  if (warp >= kConsumers / 32) {
    if (lane == 0 && warp == kConsumers / 32) {
      FetchLineWeights<Shape>(params, memory, block.output_block, runs);
    } else if (lane == 0) {
      WaitForPrevious();
      FetchLines(params, memory, corner, runs);
    }
    __syncwarp();
    if (divided) {
      ClusterWait();
      ClusterBarrier();  // the sums of both blocks are there
    }
    return;
  }

  typename Shape::Sum sums[Shape::kTokens / 2];
  LineProducts<Shape>(params, memory, runs).Run(sums);
  NamedBarrier(1, kConsumers);  // all has been read: the memory is free
  WaitForPrevious();
  const int first_output = block.output_block * 64;
  if (FetchesResidual<Shape>(params)) {
    if (threadIdx.x == 0) {
      BarrierExpect(fetched, params.lines.TileRows() * (Shape::kInt8 ? 64 : 128));
      PixelsLoad(base, params.residual, first_output, 0, corner.line, corner.image, fetched);
    }
    __syncwarp();
    if (!divided) BarrierWait(fetched, 0);
  }
  if constexpr (Shape::kCanSplit) {
    if (divided) {
      ClusterWait();
      FinishHalf<Shape>(sums, params, first_output, corner, part, base, memory.exchange, fetched);
      return;
    }
  }
  FinishTile<Shape, false>(sums, params, first_output, block.token_block, base, 1);
  if (threadIdx.x == 0) TensorStoreDrain();
#endif
}

}  // namespace tamis::cuda
