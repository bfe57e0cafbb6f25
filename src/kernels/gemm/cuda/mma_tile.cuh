// One block's tile of a product: asynchronous copies into a ring of stages, mma.sync, the partial sums of a cluster's
// blocks added through distributed shared memory, and the epilogue from there with whole rows of 16 bytes. What is
// multiplied is a parameter: numbers of f16 (HalfProduct), or codes of 8 bits (mma_codes.cuh), of which two count as
// one element here.
//
// A stage holds the tile's rows of x and of w, 64 elements (128 bytes) of depth each; 16-byte chunk c of row r lies at
// chunk c ^ (r % 8), so that ldmatrix and the copies are free of bank conflicts.
#pragma once

#include <cooperative_groups.h>

#include "src/kernels/cuda/device.cuh"
#include "src/kernels/cuda/launch.h"
#include "src/kernels/cuda/mma.cuh"
#include "src/kernels/gemm/cuda/mma_args.h"

namespace tamis::cuda {

template <int kRows, int kOutputs, int kWarpsM, int kWarpsN, int kStages>
struct MmaShape {
  static constexpr int kThreads = kWarpsM * kWarpsN * 32;
  static constexpr int kStageElements = (kRows + kOutputs) * kMmaDepthStep;
  static constexpr int kSumPitch = kOutputs + 4;  // floats; keeps 16-byte alignment and spreads banks
  static constexpr int kStageBytes = kStages * kStageElements * 2;
  static constexpr int kSumBytes = kRows * kSumPitch * 4;
  static constexpr int kSharedBytes = kStageBytes > kSumBytes ? kStageBytes : kSumBytes;
};

// Copies the rows of x that one thread is in charge of: chunk `threadIdx.x % 8` of every kThreads/8-th row.
template <MmaSource kSource, int kRows, int kThreads>
class RowLoader {
 public:
  static constexpr int kStep = kThreads / 8;
  static constexpr int kPasses = kRows / kStep;

  __device__ RowLoader(const MmaArgs& args, int first_row, int depth_begin) : args_(args) {
    chunk_ = static_cast<int>(threadIdx.x) % 8;
    const int row = static_cast<int>(threadIdx.x) / 8;
    k_ = depth_begin + chunk_ * 8;
    if constexpr (kSource == MmaSource::kPixels) {
      const int tap = k_ / args.channels;
      c_ = k_ - tap * args.channels;
      r_ = tap / args.kernel_w;
      s_ = tap - r_ * args.kernel_w;
    } else if constexpr (kSource == MmaSource::kPlanes) {
      run_ = args.channels * 8;
      r_ = k_ / run_;
      c_ = k_ - r_ * run_;
    } else if constexpr (kSource == MmaSource::kRuns) {
      run_ = (args.kernel_w * args.channels + 7) / 8 * 8;
      r_ = k_ / run_;
      c_ = k_ - r_ * run_;
    }
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      const int m = first_row + row + i * kStep;
      valid_[i] = m < args.rows;
      if constexpr (kSource == MmaSource::kRows) {
        offset_[i] = static_cast<int64_t>(m) * args.depth;
      } else {
        const int pixels = args.out_h * args.out_w;
        const int b = m / pixels;
        const int pixel = m - b * pixels;
        const int oy = pixel / args.out_w;
        const int ox = pixel - oy * args.out_w;
        y_[i] = oy * args.stride_h - args.pad_h;
        x_[i] = ox * args.stride_w - args.pad_w;
        offset_[i] = static_cast<int64_t>(b) * args.in_h * args.in_w * args.channels;
      }
    }
  }

  // The next stage, into the rows that start at `to`.
  __device__ void Load(__half* to) {
    const auto* x = static_cast<const __half*>(args_.x);
    const int row = static_cast<int>(threadIdx.x) / 8;
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      const int r = row + i * kStep;
      __half* chunk = to + r * kMmaDepthStep + (chunk_ ^ (r % 8)) * 8;
      if constexpr (kSource == MmaSource::kRows) {
        const bool valid = valid_[i] && k_ < args_.depth;
        CopyAsync16(SharedAddress(chunk), x + (valid ? offset_[i] + k_ : 0), valid);
      } else if constexpr (kSource == MmaSource::kPixels) {
        const int iy = y_[i] + r_ * args_.dilation_h;
        const int ix = x_[i] + s_ * args_.dilation_w;
        const bool valid = valid_[i] && r_ < args_.kernel_h && iy >= 0 && iy < args_.in_h && ix >= 0 && ix < args_.in_w;
        const int64_t at = offset_[i] + (static_cast<int64_t>(iy) * args_.in_w + ix) * args_.channels + c_;
        CopyAsync16(SharedAddress(chunk), x + (valid ? at : 0), valid);
      } else if constexpr (kSource == MmaSource::kPlanes) {
        const int iy = y_[i] + r_ * args_.dilation_h;
        const bool row_valid = valid_[i] && r_ < args_.kernel_h && iy >= 0 && iy < args_.in_h;
        const float* plane_row = static_cast<const float*>(args_.x) + offset_[i] +
                                 static_cast<int64_t>(c_ / 8 * args_.in_h + iy) * args_.in_w;
        __half elements[8];
#pragma unroll
        for (int e = 0; e < 8; ++e) {
          const int at = x_[i] + e;
          const bool inside = row_valid && e < args_.kernel_w && at >= 0 && at < args_.in_w;
          elements[e] = __float2half_rn(inside ? plane_row[at] : 0.0f);
        }
        *reinterpret_cast<uint4*>(chunk) = *reinterpret_cast<const uint4*>(elements);
      } else {
        const int iy = y_[i] + r_ * args_.dilation_h;
        const bool row_valid = valid_[i] && r_ < args_.kernel_h && iy >= 0 && iy < args_.in_h;
        const int length = args_.in_w * args_.channels;
        const int first = x_[i] * args_.channels + c_;
        const __half* image_row = x + offset_[i] + static_cast<int64_t>(iy) * length;
        __half elements[8];
#pragma unroll
        for (int e = 0; e < 8; ++e) {
          const int at = first + e;
          const bool inside = row_valid && c_ + e < args_.kernel_w * args_.channels && at >= 0 && at < length;
          elements[e] = inside ? image_row[at] : __half(0.0f);
        }
        *reinterpret_cast<uint4*>(chunk) = *reinterpret_cast<const uint4*>(elements);
      }
    }
    k_ += kMmaDepthStep;
    if constexpr (kSource == MmaSource::kPixels) {
      c_ += kMmaDepthStep;
      while (c_ >= args_.channels) {
        c_ -= args_.channels;
        if (++s_ == args_.kernel_w) s_ = 0, ++r_;
      }
    } else if constexpr (kSource == MmaSource::kRuns || kSource == MmaSource::kPlanes) {
      c_ += kMmaDepthStep;
      while (c_ >= run_) c_ -= run_, ++r_;
    }
  }

 private:
  const MmaArgs& args_;
  int chunk_, k_, r_ = 0, s_ = 0, c_ = 0, run_ = 8;
  int y_[kPasses], x_[kPasses];
  int64_t offset_[kPasses];
  bool valid_[kPasses];
};

// The same for w, whose rows are always dense.
template <int kOutputs, int kThreads>
class WeightLoader {
 public:
  __device__ WeightLoader(const MmaArgs& args, int first_output, int depth_begin) : args_(args) {
    first_ = first_output + static_cast<int>(threadIdx.x) / 8;
    k_ = depth_begin + static_cast<int>(threadIdx.x) % 8 * 8;
  }
  __device__ void Load(__half* to) {
    constexpr int kStep = kThreads / 8;
    const auto* w = static_cast<const __half*>(args_.w);
    const int chunk = static_cast<int>(threadIdx.x) % 8;
#pragma unroll
    for (int i = 0; i < kOutputs / kStep; ++i) {
      const int r = static_cast<int>(threadIdx.x) / 8 + i * kStep;
      const int n = first_ + i * kStep;
      const bool valid = n < args_.outputs && k_ < args_.depth;
      const __half* from = w + (valid ? static_cast<int64_t>(n) * args_.depth + k_ : 0);
      CopyAsync16(SharedAddress(to + r * kMmaDepthStep + (chunk ^ (r % 8)) * 8), from, valid);
    }
    k_ += kMmaDepthStep;
  }

 private:
  const MmaArgs& args_;
  int first_, k_;
};

// Bias, residual and activation of eight consecutive outputs of one row, and their store.
__device__ __forceinline__ void FinishOutputs(const MmaArgs& args, int row, int output, float (&sums)[8]) {
  const int64_t at = static_cast<int64_t>(row) * args.outputs + output;
  const bool vectors = args.outputs % 8 == 0 && output + 8 <= args.outputs;
  const int count = min(8, args.outputs - output);
  const DType residual_dtype = args.residual_f32 ? DType::kFloat32 : DType::kFloat16;
  const auto add = [&](auto&& load, auto&& load8) {
    float more[8];
    if (vectors) {
      load8(more);
    } else {
#pragma unroll
      for (int i = 0; i < 8; ++i) more[i] = i < count ? load(i) : 0.0f;
    }
#pragma unroll
    for (int i = 0; i < 8; ++i) sums[i] += more[i];
  };
  if (args.bias != nullptr) {
    add([&](int i) { return args.bias[output + i]; }, [&](float(&more)[8]) { Load8(args.bias + output, more); });
  }
  if (args.residual != nullptr) {
    add([&](int i) { return LoadFloat(args.residual, residual_dtype, at + i); },
        [&](float(&more)[8]) {
          if (args.residual_f32) {
            Load8(static_cast<const float*>(args.residual) + at, more);
          } else {
            Load8(static_cast<const __half*>(args.residual) + at, more);
          }
        });
  }
  ActivateAll(sums, args.activation);  // in one place of the code: it is long
  if (!vectors) {
    const DType dtype = args.output_f32 ? DType::kFloat32 : DType::kFloat16;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      if (i < count) StoreFloat(args.y, dtype, at + i, sums[i]);
    }
  } else if (args.output_f32) {
    Store8(static_cast<float*>(args.y) + at, sums);
  } else {
    Store8(static_cast<__half*>(args.y) + at, sums);
  }
}

// Products of f16 with sums in f32.
struct HalfProduct {
  using Args = MmaArgs;
  using Sum = float;
  static __device__ __forceinline__ void Prepare(const Args&, uint32_t (&)[4]) {}
  static __device__ __forceinline__ void MultiplyAdd(Sum (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    tamis::cuda::MultiplyAdd(c, a, b0, b1);
  }
  static __device__ __forceinline__ void Finish(const Args& args, int row, int output, Sum (&sums)[8]) {
    FinishOutputs(args, row, output, sums);
  }
};

// Eight neighbouring sums.
template <class Sum>
__device__ __forceinline__ void LoadSums(const Sum* from, Sum (&to)[8]) {
  static_assert(sizeof(Sum) == 4);
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const uint4 four = reinterpret_cast<const uint4*>(from)[half];
    to[half * 4] = reinterpret_cast<const Sum&>(four.x), to[half * 4 + 1] = reinterpret_cast<const Sum&>(four.y);
    to[half * 4 + 2] = reinterpret_cast<const Sum&>(four.z), to[half * 4 + 3] = reinterpret_cast<const Sum&>(four.w);
  }
}
__device__ __forceinline__ void StorePair(float* to, float low, float high) {
  *reinterpret_cast<float2*>(to) = make_float2(low, high);
}
__device__ __forceinline__ void StorePair(int32_t* to, int32_t low, int32_t high) {
  *reinterpret_cast<int2*>(to) = make_int2(low, high);
}

// Grid: x over tiles of outputs, y over tiles of rows, z over the parts of the depth (one cluster).
template <class Product, MmaSource kSource, int kRows, int kOutputs, int kWarpsM, int kWarpsN, int kStages>
__global__ void __launch_bounds__(kWarpsM* kWarpsN * 32)
    MmaTileKernel(const __grid_constant__ typename Product::Args args) {
  using Sum = typename Product::Sum;
  using Shape = MmaShape<kRows, kOutputs, kWarpsM, kWarpsN, kStages>;
  constexpr int kThreads = Shape::kThreads;
  constexpr int kTilesM = kRows / kWarpsM / 16;    // of 16 rows a warp
  constexpr int kTilesN = kOutputs / kWarpsN / 8;  // of 8 outputs a warp
  static_assert(kTilesN % 2 == 0 && kRows % (kThreads / 8) == 0 && kOutputs % (kThreads / 8) == 0);
  extern __shared__ __align__(128) unsigned char shared[];
  auto* stages = reinterpret_cast<__half*>(shared);

  const int first_output = static_cast<int>(blockIdx.x) * kOutputs;
  const int first_row = static_cast<int>(blockIdx.y) * kRows;
  const int steps_in_all = (args.depth + kMmaDepthStep - 1) / kMmaDepthStep;
  const int split = static_cast<int>(gridDim.z);
  const int part = static_cast<int>(blockIdx.z);
  const int step_begin = steps_in_all * part / split;
  const int steps = steps_in_all * (part + 1) / split - step_begin;

  LetNextStart();
  RowLoader<kSource, kRows, kThreads> rows(args, first_row, step_begin * kMmaDepthStep);
  WeightLoader<kOutputs, kThreads> weights(args, first_output, step_begin * kMmaDepthStep);
  const auto row_stage = [&](int stage) { return stages + stage * Shape::kStageElements; };
  const auto weight_stage = [&](int stage) { return row_stage(stage) + kRows * kMmaDepthStep; };

  // Weights are constants: they may be on their way before the kernel that makes x has finished.
  for (int s = 0; s < kStages - 1 && s < steps; ++s) weights.Load(weight_stage(s));
  WaitForPrevious();
  for (int s = 0; s < kStages - 1; ++s) {
    if (s < steps) rows.Load(row_stage(s));
    CommitCopies();
  }

  Sum sums[kTilesM][kTilesN][4] = {};
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp_row = warp / kWarpsN * (kRows / kWarpsM);
  const int warp_output = warp % kWarpsN * (kOutputs / kWarpsN);
  for (int step = 0; step < steps; ++step) {
    WaitForCopies<kStages - 2>();
    __syncthreads();
    const int next = step + kStages - 1;
    if (next < steps) {
      weights.Load(weight_stage(next % kStages));
      rows.Load(row_stage(next % kStages));
    }
    CommitCopies();
    const auto row_base = SharedAddress(row_stage(step % kStages));
    const auto weight_base = SharedAddress(weight_stage(step % kStages));
#pragma unroll
    for (int k = 0; k < kMmaDepthStep / 16; ++k) {
      uint32_t a[kTilesM][4], b[kTilesN / 2][4];
#pragma unroll
      for (int i = 0; i < kTilesM; ++i) {
        const int r = warp_row + i * 16 + lane % 16;
        LoadMatrices(a[i], row_base + static_cast<uint32_t>(r * 128 + (((k * 2 + lane / 16) ^ (r % 8)) * 16)));
        Product::Prepare(args, a[i]);
      }
#pragma unroll
      for (int j = 0; j < kTilesN / 2; ++j) {
        // Matrices: outputs 0-7 at depth 0 and 8, outputs 8-15 at depth 0 and 8.
        const int r = warp_output + j * 16 + lane / 16 * 8 + lane % 8;
        LoadMatrices(b[j], weight_base + static_cast<uint32_t>(r * 128 + (((k * 2 + lane / 8 % 2) ^ (r % 8)) * 16)));
      }
#pragma unroll
      for (int i = 0; i < kTilesM; ++i) {
#pragma unroll
        for (int j = 0; j < kTilesN; ++j) {
          Product::MultiplyAdd(sums[i][j], a[i], b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]);
        }
      }
    }
  }
  WaitForCopies<0>();
  __syncthreads();

  auto* tile = reinterpret_cast<Sum*>(shared);
#pragma unroll
  for (int i = 0; i < kTilesM; ++i) {
#pragma unroll
    for (int j = 0; j < kTilesN; ++j) {
      Sum* at = tile + (warp_row + i * 16 + lane / 4) * Shape::kSumPitch + warp_output + j * 8 + lane % 4 * 2;
      StorePair(at, sums[i][j][0], sums[i][j][1]);
      StorePair(at + 8 * Shape::kSumPitch, sums[i][j][2], sums[i][j][3]);
    }
  }
  constexpr int kChunks = kOutputs / 8;
#if __CUDA_ARCH__ >= 900
  if (split > 1) {
    namespace cg = cooperative_groups;
    cg::cluster_group cluster = cg::this_cluster();
    cluster.sync();
    // Each block of the cluster finishes its share of the tile's rows.
    const int begin = kRows * part / split;
    const int count = kRows * (part + 1) / split - begin;
    for (int item = static_cast<int>(threadIdx.x); item < count * kChunks; item += kThreads) {
      const int r = begin + item / kChunks;
      const int n = item % kChunks * 8;
      if (first_row + r >= args.rows || first_output + n >= args.outputs) continue;
      Sum total[8] = {};
      for (int other = 0; other < split; ++other) {
        Sum values[8];
        LoadSums(cluster.map_shared_rank(tile, other) + r * Shape::kSumPitch + n, values);
#pragma unroll
        for (int e = 0; e < 8; ++e) total[e] += values[e];
      }
      Product::Finish(args, first_row + r, first_output + n, total);
    }
    cluster.sync();  // nobody may leave while others read its tile
    return;
  }
#endif
  __syncthreads();
  for (int item = static_cast<int>(threadIdx.x); item < kRows * kChunks; item += kThreads) {
    const int r = item / kChunks;
    const int n = item % kChunks * 8;
    if (first_row + r >= args.rows || first_output + n >= args.outputs) continue;
    Sum total[8];
    LoadSums(tile + r * Shape::kSumPitch + n, total);
    Product::Finish(args, first_row + r, first_output + n, total);
  }
}

template <class Product, MmaSource kSource, int kRows, int kOutputs, int kWarpsM, int kWarpsN, int kStages>
struct MmaInstance {
  using Shape = MmaShape<kRows, kOutputs, kWarpsM, kWarpsN, kStages>;
  static constexpr auto kKernel = MmaTileKernel<Product, kSource, kRows, kOutputs, kWarpsM, kWarpsN, kStages>;

  static cudaError_t Prepare() {
    return cudaFuncSetAttribute(kKernel, cudaFuncAttributeMaxDynamicSharedMemorySize, Shape::kSharedBytes);
  }
  static cudaError_t Launch(int split, const typename Product::Args& args, cudaStream_t stream) {
    LaunchShape shape;
    shape.grid = dim3(static_cast<unsigned>((args.outputs + kOutputs - 1) / kOutputs),
                      static_cast<unsigned>((args.rows + kRows - 1) / kRows), static_cast<unsigned>(split));
    shape.block = dim3(Shape::kThreads);
    shape.shared_bytes = Shape::kSharedBytes;
    shape.cluster_z = static_cast<unsigned>(split);
    return LaunchKernel(kKernel, shape, stream, args);
  }
};

// Calls `f` with the instance of a tile of kMmaTiles.
template <class Product, MmaSource kSource, class F>
cudaError_t WithMmaInstance(int tile, F&& f) {
  switch (tile) {
    case 0:
      return f(MmaInstance<Product, kSource, 64, 64, 2, 2, 4>());
    case 1:
      return f(MmaInstance<Product, kSource, 128, 64, 4, 2, 4>());
    case 2:
      return f(MmaInstance<Product, kSource, 64, 128, 2, 4, 4>());
    case 3:
      return f(MmaInstance<Product, kSource, 128, 128, 2, 4, 3>());
    default:
      return cudaErrorInvalidValue;
  }
}

template <MmaSource kSource>
cudaError_t PrepareMma(MmaChoice choice) {
  return WithMmaInstance<HalfProduct, kSource>(choice.tile, [](auto instance) { return instance.Prepare(); });
}

template <MmaSource kSource>
cudaError_t LaunchMma(MmaChoice choice, const MmaArgs& args, cudaStream_t stream) {
  return WithMmaInstance<HalfProduct, kSource>(
      choice.tile, [&](auto instance) { return instance.Launch(choice.split, args, stream); });
}

}  // namespace tamis::cuda
