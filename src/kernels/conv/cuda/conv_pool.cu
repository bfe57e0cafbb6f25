// A block computes a chunk of an image's pooled lines for 64 outputs. Lines of the convolution are products of one
// warpgroup, one after another; a ring in shared memory holds the lines of folded images that the next of them read, so
// that each is fetched once. Sums are [output][pixel], two neighbouring pixels a thread, so that a window's maximum
// over its columns takes one exchange within a quad, and over its lines none: maxima wait in registers. What is common
// to a window (scale, bias, activation, rounding) keeps the order of numbers and is applied to the maximum alone.
#include <cuda_runtime.h>

#include <algorithm>
#include <climits>
#include <type_traits>

#include "src/kernels/conv/cuda/conv_pool.h"
#include "src/kernels/cuda/launch.h"
#include "src/kernels/gemm/cuda/gemm24_epilogue.cuh"
#include "src/kernels/gemm/cuda/hopper.cuh"
#include "src/kernels/gemm/cuda/tensor_map.h"
#include "src/kernels/gemm/cuda/wgmma_dense.cuh"
#include "src/kernels/gemm/cuda/wgmma_int8.cuh"
#include "src/kernels/gemm/dense_tiles.h"
#include "src/kernels/quantized/cuda/codes.cuh"

namespace tamis::cuda {
namespace {

constexpr int kRingLines = 5;  // of which a line of the convolution reads kMostSpan, so that one is fetched ahead
constexpr int kMostSpan = 4;
constexpr int kTileBytes = static_cast<int>(kDenseTileBytes);

struct ConvPoolParams {
  CUtensorMap x, y;
  const std::byte* weight;
  const float* bias;
  const Int8Channel* channels;
  Int8Types types;
  ActivationArgs activation;
  int outputs;
  int chunks, chunk_lines;  // of pooled lines, an image
  int conv_h, conv_w, pool_h, pool_w;
  int runs, dilation;
};

template <int kPixelsValue, bool kInt8Value>
struct ConvPoolShape {
  static constexpr int kPixels = kPixelsValue;  // of a line
  static constexpr bool kInt8 = kInt8Value;
  using Sum = std::conditional_t<kInt8, int32_t, float>;
  static constexpr int kThreads = 128 + 32;
  static constexpr int kLineBytes = kPixels * 128;
  static constexpr int kYRow = kInt8 ? 64 : 128;  // bytes of 64 outputs
  static constexpr int kSharedBytes = kMostSpan * kTileBytes + kRingLines * kLineBytes + kPixels / 2 * kYRow + 1024;
  static constexpr int kPerMultiprocessor = kSharedBytes <= 112 * 1024 ? 2 : 1;
  static_assert(kPixels % 16 == 0 && kSharedBytes <= 227 * 1024);
};

// NaN if either is.
__device__ __forceinline__ float Larger(float a, float b) {
  float larger;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(larger) : "f"(a), "f"(b));
  return larger;
}
__device__ __forceinline__ int32_t Larger(int32_t a, int32_t b) {
  return max(a, b);
}
template <class Sum>
__device__ __forceinline__ Sum Lowest() {
  if constexpr (std::is_same_v<Sum, float>) {
    return -INFINITY;
  } else {
    return INT_MIN;
  }
}

// One warpgroup: the sums of a line, from the lines of the ring that it reads.
template <class Shape, bool kUnsigned>
__device__ __forceinline__ void MultiplyLine(typename Shape::Sum (&sums)[Shape::kPixels / 2],
                                             const ConvPoolParams& params, uint32_t weights, uint32_t lines,
                                             int first_slot) {
  WgmmaFence();
#pragma unroll 1
  for (int r = 0; r < params.runs; ++r) {
    int slot = first_slot + r * params.dilation;
    if (slot >= kRingLines) slot -= kRingLines;
    const uint64_t a = WgmmaDescriptor<128>(weights + r * kTileBytes);
    const uint64_t b = WgmmaDescriptor<128>(lines + slot * Shape::kLineBytes);
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      if constexpr (Shape::kInt8) {
        WgmmaInt8<Shape::kPixels, kUnsigned>::Run(sums, a + 2 * k, b + 2 * k, r + k);
      } else {
        WgmmaDense<Shape::kPixels, false>::Run(sums, a + 2 * k, b + 2 * k, r + k);
      }
    }
  }
  WgmmaCommit();
  WgmmaWait<0>();
}

// The maxima of a line's windows: of pooled column 4 j + lane % 4 in window[2 j + half], for both halves of the rows.
template <class Shape>
__device__ __forceinline__ void PoolColumns(typename Shape::Sum (&sums)[Shape::kPixels / 2], int width,
                                            typename Shape::Sum (&window)[Shape::kPixels / 4]) {
  using Sum = typename Shape::Sum;
  const int lane = threadIdx.x % 32;
  if (width < Shape::kPixels) {
#pragma unroll
    for (int i = 0; i < Shape::kPixels / 2; ++i) {
      if (i / 4 * 8 + lane % 4 * 2 + i % 2 >= width) sums[i] = Lowest<Sum>();
    }
  }
  const int left_lane = (lane & ~3) | ((lane + 3) & 3);
  Sum carried[2] = {Lowest<Sum>(), Lowest<Sum>()};
#pragma unroll
  for (int j = 0; j < Shape::kPixels / 8; ++j) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const Sum even = sums[4 * j + 2 * half], odd = sums[4 * j + 2 * half + 1];
      // The pixel left of the first lane's belongs to the last lane's previous eight.
      const Sum from_left = __shfl_sync(0xffffffff, odd, left_lane);
      const Sum left = lane % 4 == 0 ? carried[half] : from_left;
      carried[half] = from_left;
      window[2 * j + half] = Larger(Larger(even, odd), left);
    }
  }
}

// Finishes maxima and puts them into `tile`, [pooled column][64 outputs], swizzled as its map says. Columns 8 i + k and
// 8 i + 4 + k are neighbours in a thread's pairs, so that row c of a transposed matrix is column c / 2 + c % 2 * 4.
template <class Shape>
__device__ __forceinline__ void FillTile(const float (&best)[Shape::kPixels / 4], const ConvPoolParams& params,
                                         float low_bias, float high_bias, uint32_t tile) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int column = lane % 8 / 2 + lane % 2 * 4;
  const uint32_t address = tile + column * 128 + ((warp * 2 + lane / 8 % 2) ^ column) * 16;
  const auto finish = [&](float sum, float bias) {
    sum += bias;
    return params.activation.kind == Activation::kNone ? sum : ActivateAs<Activation::kClip>(sum, params.activation);
  };
#pragma unroll
  for (int i = 0; i < Shape::kPixels / 16; ++i) {
    const uint32_t m[2] = {
        PackPair<false>(finish(best[4 * i], low_bias), finish(best[4 * i + 2], low_bias)),
        PackPair<false>(finish(best[4 * i + 1], high_bias), finish(best[4 * i + 3], high_bias)),
    };
    StoreTransposed(address + i * 8 * 128, m);
  }
}

// Of codes: a thread's two rows are neighbouring outputs, whose codes are one element of the matrices.
template <class Shape>
__device__ __forceinline__ void FillTile(const int32_t (&best)[Shape::kPixels / 4], const ConvPoolParams& params,
                                         Int8Channel low, Int8Channel high, uint32_t tile) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int column = lane % 8 / 2 + lane % 2 * 4;
  const uint32_t address = tile + column * 64 + (warp ^ (column / 2 % 4)) * 16;
  const CodeShift to = ShiftOf(params.types.y, params.types.y_zero);
  const auto finish = [&](int32_t sum, Int8Channel channel) {
    float value = fmaf(fabsf(channel.scale), static_cast<float>(sum), channel.bias);
    if (params.activation.kind != Activation::kNone) value = ActivateAs<Activation::kClip>(value, params.activation);
    return value * params.types.y_inverse;
  };
#pragma unroll
  for (int i = 0; i < Shape::kPixels / 16; ++i) {
    const float values[4] = {finish(best[4 * i], low), finish(best[4 * i + 1], high), finish(best[4 * i + 2], low),
                             finish(best[4 * i + 3], high)};
    const uint32_t m[1] = {PackCodes4(values, to)};
    StoreTransposed(address + i * 8 * 64, m);
  }
}

// Addresses in shared memory, and what a block computes.
struct ChunkPlace {
  uint32_t weights, lines, tile, full, empty;
  int image, panel;
  int first_pooled, first, end;  // lines of the convolution from first to end
  int span;                      // lines of the images that one of them reads
};

// The multiplying warpgroup's part.
template <class Shape, bool kUnsigned, class Added>
__device__ __forceinline__ void ComputeChunk(const ConvPoolParams& params, const ChunkPlace& place, Added low,
                                             Added high) {
  using Sum = typename Shape::Sum;
  const int lane = threadIdx.x % 32;
  Sum best[Shape::kPixels / 4];
#pragma unroll
  for (Sum& value : best) value = Lowest<Sum>();
  // A negative scale turns the order of sums around, so that its sums are negated.
  bool turned = false;
  if constexpr (Shape::kInt8) turned = __any_sync(0xffffffff, low.scale < 0 || high.scale < 0);
  int slot = 0;                                 // of the first line that is read
  int awaited_slot = 0, awaited = place.first;  // the next line to await
  uint32_t awaited_lap = 0;
#pragma unroll 1
  for (int line = place.first; line < place.end; ++line) {
    for (; awaited < line + place.span; ++awaited) {
      BarrierWait(place.full + 8 * awaited_slot, awaited_lap & 1);
      if (++awaited_slot == kRingLines) awaited_slot = 0, ++awaited_lap;
    }
    Sum sums[Shape::kPixels / 2];
    MultiplyLine<Shape, kUnsigned>(sums, params, place.weights, place.lines, slot);
    if (lane == 0) BarrierArrive(place.empty + 8 * slot);
    __syncwarp();
    if (++slot == kRingLines) slot = 0;

    if constexpr (Shape::kInt8) {
      if (turned) {
#pragma unroll
        for (int i = 0; i < Shape::kPixels / 2; ++i) {
          if ((i / 2 % 2 == 0 ? low : high).scale < 0) sums[i] = -sums[i];
        }
      }
    }
    Sum window[Shape::kPixels / 4], pooled[Shape::kPixels / 4];
    PoolColumns<Shape>(sums, params.conv_w, window);
    const bool odd = line % 2 != 0;  // the last of one window and the first of the next
#pragma unroll
    for (int i = 0; i < Shape::kPixels / 4; ++i) {
      pooled[i] = Larger(best[i], window[i]);
      best[i] = odd ? window[i] : pooled[i];
    }
    const bool finished = odd ? line >= 2 * place.first_pooled : line == params.conv_h - 1;
    if (!finished) continue;
    if (threadIdx.x == 0) TensorStoreDrain();
    NamedBarrier(1, 128);  // the tile is free
    FillTile<Shape>(pooled, params, low, high, place.tile);
    FenceForCopyEngine();
    NamedBarrier(1, 128);
    if (threadIdx.x == 0) {
      TensorStore(params.y, place.panel * 64, (place.image * params.pool_h + line / 2) * params.pool_w, place.tile);
    }
  }
  if (threadIdx.x == 0) TensorStoreDrain();
}

template <class Shape>
__global__ __launch_bounds__(Shape::kThreads, Shape::kPerMultiprocessor) void ConvPoolKernel(
    const __grid_constant__ ConvPoolParams params) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  extern __shared__ uint8_t shared_bytes[];
  __shared__ __align__(8) uint64_t barriers[2 * kRingLines + 1];
  const uint32_t weights = (SharedAddress(shared_bytes) + 1023) & ~1023u;
  const uint32_t lines = weights + kMostSpan * kTileBytes, tile = lines + kRingLines * Shape::kLineBytes;
  const uint32_t full = SharedAddress(barriers), empty = full + 8 * kRingLines, weights_there = full + 16 * kRingLines;
  const int warp = __shfl_sync(0xffffffff, threadIdx.x / 32, 0), lane = threadIdx.x % 32;

  const int image = blockIdx.x / params.chunks, panel = blockIdx.y;
  const int first_pooled = blockIdx.x % params.chunks * params.chunk_lines;
  const int end_pooled = min(first_pooled + params.chunk_lines, params.pool_h);
  // Lines of the convolution.
  const int first = max(2 * first_pooled - 1, 0), end = min(2 * end_pooled, params.conv_h);
  const int span = (params.runs - 1) * params.dilation + 1;  // lines of the images that one of them reads

  if (threadIdx.x == 128) {
    for (int s = 0; s < kRingLines; ++s) {
      BarrierInit(full + 8 * s, 1);
      BarrierInit(empty + 8 * s, 4);
    }
    BarrierInit(weights_there, 1);
    BarrierInitFence();
    PrefetchMap(params.x);
    PrefetchMap(params.y);
  }
  __syncthreads();
  LetNextStart();

  if (warp == 4) {
    if (lane == 0) {
      BarrierExpect(weights_there, params.runs * kTileBytes);
      BulkLoad(weights, params.weight + static_cast<int64_t>(panel) * params.runs * kTileBytes,
               params.runs * kTileBytes, weights_there);
      WaitForPrevious();
      int slot = 0;
      uint32_t lap = 0;
      for (int line = first; line < end + span - 1; ++line) {
        if (lap > 0) BarrierWait(empty + 8 * slot, (lap - 1) & 1);
        BarrierExpect(full + 8 * slot, Shape::kLineBytes);
        const int h = min(line, params.conv_h - 1);  // beyond, lines are reached as lower rows of a kernel
        ImageLoad(lines + slot * Shape::kLineBytes, params.x, 0, 0, h, image, 0, static_cast<uint16_t>(line - h),
                  full + 8 * slot);
        if (++slot == kRingLines) slot = 0, ++lap;
      }
    }
    return;
  }

  // What a thread's two outputs add: the lower one's, the higher one's.
  using Added = std::conditional_t<Shape::kInt8, Int8Channel, float>;
  Added low = {}, high = {};
  if constexpr (Shape::kInt8) {
    const int output = panel * 64 + warp * 16 + lane / 4 * 2;
    if (output < params.outputs) low = params.channels[output], high = params.channels[output + 1];
  } else if (params.bias != nullptr) {
    const int output = panel * 64 + warp * 16 + lane / 4;
    if (output < params.outputs) low = params.bias[output];
    if (output + 8 < params.outputs) high = params.bias[output + 8];
  }
  WaitForPrevious();
  BarrierWait(weights_there, 0);
  const ChunkPlace place = {weights, lines, tile, full, empty, image, panel, first_pooled, first, end, span};
  if constexpr (Shape::kInt8) {
    if (params.types.x_unsigned) return ComputeChunk<Shape, true>(params, place, low, high);
  }
  ComputeChunk<Shape, false>(params, place, low, high);
#endif
}

struct Instance {
  const void* kernel = nullptr;
  int pixels = 0, shared_bytes = 0, per_multiprocessor = 0;
};
template <class Shape>
Instance Describe() {
  return {reinterpret_cast<const void*>(&ConvPoolKernel<Shape>), Shape::kPixels, Shape::kSharedBytes,
          Shape::kPerMultiprocessor};
}
// The narrowest that holds a line.
template <bool kInt8>
Instance InstanceFor(int width) {
  if (width <= 64) return Describe<ConvPoolShape<64, kInt8>>();
  if (width <= 112) return Describe<ConvPoolShape<112, kInt8>>();
  if (width <= 192) return Describe<ConvPoolShape<192, kInt8>>();
  return {};
}
Instance InstanceFor(const ConvPoolProblem& problem) {
  return problem.int8 ? InstanceFor<true>(problem.image.out_w) : InstanceFor<false>(problem.image.out_w);
}

// As many pooled lines as make the least work of the busiest multiprocessor: each chunk computes a line of the
// convolution again that the one above has, and takes as long as about four to start.
int ChunkLines(const ConvPoolProblem& problem, int slots) {
  int best = 1;
  int64_t least = INT64_MAX;
  for (int lines = 1; lines <= problem.pool_h; ++lines) {
    const int64_t chunks = (problem.pool_h + lines - 1) / lines;
    const int64_t blocks = chunks * problem.image.batch * ((problem.outputs + 63) / 64);
    const int64_t work = (blocks + slots - 1) / slots * (2 * lines + 1 + 4);
    if (work < least) best = lines, least = work;
  }
  return best;
}

}  // namespace

const char* WhyNoConvPool(const ConvPoolProblem& problem) {
  const ImageSource& image = problem.image;
  const Activation kind = problem.activation.kind;
  if (kind != Activation::kNone && kind != Activation::kRelu && kind != Activation::kClip) {
    return "its activation is not ReLU or Clip";
  }
  if (InstanceFor(problem).kernel == nullptr) return "lines of the convolution are longer than 192 pixels";
  if (image.channels * 2 != 128) return "a row of the kernel takes more than 128 bytes of a folded image";
  if ((image.kernel_h - 1) * image.dilation_h + 1 > kMostSpan) return "the kernel is more than four folded lines high";
  if (problem.outputs % (problem.int8 ? 16 : 8) != 0) return "the outputs don't come in whole vectors";
  if (problem.int8 && !IsCode(problem.types.y)) return "y is not of codes";
  // Every window begins inside the image.
  const bool fits = 2 * problem.pool_h <= image.out_h + 1 && 2 * problem.pool_w <= image.out_w + 1;
  return fits ? nullptr : "windows lie in the padding alone";
}

cudaError_t AllowConvPool(const ConvPoolProblem& problem) {
  const Instance instance = InstanceFor(problem);
  return cudaFuncSetAttribute(instance.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, instance.shared_bytes);
}

cudaError_t LaunchConvPool(const ConvPoolProblem& problem, const Gemm24Operands& operands, int multiprocessors,
                           cudaStream_t stream) {
  const Instance instance = InstanceFor(problem);
  const ImageSource& image = problem.image;
  ConvPoolParams params = {};
  params.weight = static_cast<const std::byte*>(operands.weight);
  params.bias = operands.bias;
  params.channels = operands.channels;
  params.types = problem.types;
  params.activation = WithLimits(problem.activation);
  params.outputs = problem.outputs;
  params.chunk_lines = ChunkLines(problem, multiprocessors * instance.per_multiprocessor);
  params.chunks = (problem.pool_h + params.chunk_lines - 1) / params.chunk_lines;
  params.conv_h = image.out_h, params.conv_w = image.out_w;
  params.pool_h = problem.pool_h, params.pool_w = problem.pool_w;
  params.runs = image.kernel_h, params.dilation = image.dilation_h;
  if (cudaError_t error = MakeImageMap(&params.x, operands.x, image, instance.pixels, false); error != cudaSuccess) {
    return error;
  }
  const int64_t rows = int64_t{image.batch} * problem.pool_h * problem.pool_w;
  const cudaError_t made = problem.int8
                               ? MakeCodeMap(&params.y, operands.y, rows, problem.outputs, problem.pool_w)
                               : MakeRowMap(&params.y, operands.y, rows, problem.outputs, problem.pool_w, false);
  if (made != cudaSuccess) return made;
  cudaLaunchConfig_t config = {};
  config.gridDim =
      dim3(static_cast<unsigned>(params.chunks * image.batch), static_cast<unsigned>((problem.outputs + 63) / 64));
  config.blockDim = dim3(128 + 32);
  config.dynamicSmemBytes = static_cast<size_t>(instance.shared_bytes);
  config.stream = stream;
  cudaLaunchAttribute serial = {};
  serial.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  serial.val.programmaticStreamSerializationAllowed = 1;
  config.attrs = &serial;
  config.numAttrs = MayOverlapLaunches() ? 1 : 0;
  void* arguments[] = {&params};
  return cudaLaunchKernelExC(&config, instance.kernel, arguments);
}

}  // namespace tamis::cuda
