// One block's tile of a product by warpgroup products (wgmma) of sm_90a. Copies, sources and epilogue are those of
// mma_tile.cuh: its swizzle is the 128-byte swizzle that wgmma reads.
//
// A warpgroup holds the sums of 64 rows and all outputs of the tile. A stage is copied into again two steps after it
// was read, when every warpgroup has waited for that step's products: so one step's products run while the next is
// awaited.
#pragma once

#include "src/kernels/gemm/cuda/mma_tile.cuh"

namespace tamis::cuda {

// The rows of a stage for wgmma: 128 bytes each, swizzled, eight rows 1024 bytes apart.
__device__ __forceinline__ uint64_t StageDescriptor(uint32_t address) {
  constexpr uint64_t kSwizzle128 = uint64_t{1} << 62, kEightRows = uint64_t{1024 >> 4} << 32,
                     kUnused = uint64_t{1} << 16;
  return kSwizzle128 | kEightRows | kUnused | ((address & 0x3ffff) >> 4);
}

// d[64 rows, 128 outputs] += a . b for a depth of 16, both from shared memory.
__device__ __forceinline__ void WarpgroupMultiplyAdd(float (&d)[64], uint64_t a, uint64_t b) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, "
      "%19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, "
      "%36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, "
      "%53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, "
      "%64, %65, 1, 1, 1, 0, 0;\n"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]), "+f"(d[8]),
        "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]), "+f"(d[16]),
        "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]),
        "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31]), "+f"(d[32]),
        "+f"(d[33]), "+f"(d[34]), "+f"(d[35]), "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]), "+f"(d[40]),
        "+f"(d[41]), "+f"(d[42]), "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]), "+f"(d[48]),
        "+f"(d[49]), "+f"(d[50]), "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]), "+f"(d[56]),
        "+f"(d[57]), "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
      : "l"(a), "l"(b));
#endif
}

template <int kOutputs, int kStages>
struct WgmmaShape {
  static constexpr int kRows = 128;
  static constexpr int kThreads = 256;
  static constexpr int kStageElements = (kRows + kOutputs) * kMmaDepthStep;
  static constexpr int kSumPitch = kOutputs + 4;
  static constexpr int kStageBytes = kStages * kStageElements * 2;
  static constexpr int kSumBytes = kRows * kSumPitch * 4;
  static constexpr int kSharedBytes = (kStageBytes > kSumBytes ? kStageBytes : kSumBytes) + 1024;  // for alignment
};

template <MmaSource kSource, int kOutputs, int kStages>
__global__ void __launch_bounds__(256) WgmmaTileKernel(const __grid_constant__ MmaArgs args) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  using Shape = WgmmaShape<kOutputs, kStages>;
  constexpr int kRows = Shape::kRows, kThreads = Shape::kThreads;
  constexpr int kAhead = kStages - 2;
  extern __shared__ unsigned char unaligned[];
  unsigned char* shared = unaligned + (1024 - SharedAddress(unaligned) % 1024) % 1024;
  auto* stages = reinterpret_cast<__half*>(shared);

  const int first_output = static_cast<int>(blockIdx.x) * kOutputs;
  const int first_row = static_cast<int>(blockIdx.y) * kRows;
  const int steps = (args.depth + kMmaDepthStep - 1) / kMmaDepthStep;
  LetNextStart();
  RowLoader<kSource, kRows, kThreads> rows(args, first_row, 0);
  WeightLoader<kOutputs, kThreads> weights(args, first_output, 0);
  const auto row_stage = [&](int step) { return stages + step % kStages * Shape::kStageElements; };
  const auto weight_stage = [&](int step) { return row_stage(step) + kRows * kMmaDepthStep; };
  for (int s = 0; s < kAhead && s < steps; ++s) weights.Load(weight_stage(s));
  WaitForPrevious();
  for (int s = 0; s < kAhead; ++s) {
    if (s < steps) rows.Load(row_stage(s));
    CommitCopies();
  }

  constexpr int kParts = kOutputs / 128;
  float sums[kParts][64] = {};
  const int warpgroup = static_cast<int>(threadIdx.x) / 128;
  for (int step = 0; step < steps; ++step) {
    WaitForCopies<kAhead - 1>();
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    __syncthreads();
    if (step + kAhead < steps) {
      weights.Load(weight_stage(step + kAhead));
      rows.Load(row_stage(step + kAhead));
    }
    CommitCopies();
    const uint64_t a = StageDescriptor(SharedAddress(row_stage(step)) + static_cast<uint32_t>(warpgroup) * 64 * 128);
    const uint64_t b = StageDescriptor(SharedAddress(weight_stage(step)));
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#pragma unroll
    for (int k = 0; k < kMmaDepthStep / 16; ++k) {
#pragma unroll
      for (int part = 0; part < kParts; ++part) {
        WarpgroupMultiplyAdd(sums[part], a + k * 2, b + k * 2 + part * (128 * 128 >> 4));
      }
    }
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
    asm volatile("wgmma.wait_group.sync.aligned 1;" ::: "memory");
  }
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
  WaitForCopies<0>();
  __syncthreads();

  auto* tile = reinterpret_cast<float*>(shared);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  float* own = tile + (static_cast<int>(threadIdx.x) / 32 * 16 + lane / 4) * Shape::kSumPitch + lane % 4 * 2;
#pragma unroll
  for (int part = 0; part < kParts; ++part) {
#pragma unroll
    for (int j = 0; j < 16; ++j) {
      float* at = own + part * 128 + j * 8;
      *reinterpret_cast<float2*>(at) = make_float2(sums[part][j * 4], sums[part][j * 4 + 1]);
      *reinterpret_cast<float2*>(at + 8 * Shape::kSumPitch) = make_float2(sums[part][j * 4 + 2], sums[part][j * 4 + 3]);
    }
  }
  __syncthreads();
  constexpr int kChunks = kOutputs / 8;
  for (int item = static_cast<int>(threadIdx.x); item < kRows * kChunks; item += kThreads) {
    const int r = item / kChunks;
    const int n = item % kChunks * 8;
    if (first_row + r >= args.rows || first_output + n >= args.outputs) continue;
    float total[8];
    Load8(tile + r * Shape::kSumPitch + n, total);
    FinishOutputs(args, first_row + r, first_output + n, total);
  }
#endif
}

template <MmaSource kSource, int kOutputs, int kStages>
struct WgmmaInstance {
  using Shape = WgmmaShape<kOutputs, kStages>;
  static constexpr auto kKernel = WgmmaTileKernel<kSource, kOutputs, kStages>;

  static cudaError_t Prepare() {
    return cudaFuncSetAttribute(kKernel, cudaFuncAttributeMaxDynamicSharedMemorySize, Shape::kSharedBytes);
  }
  static cudaError_t Launch(const MmaArgs& args, cudaStream_t stream) {
    LaunchShape shape;
    shape.grid = dim3(static_cast<unsigned>((args.outputs + kOutputs - 1) / kOutputs),
                      static_cast<unsigned>((args.rows + Shape::kRows - 1) / Shape::kRows));
    shape.block = dim3(Shape::kThreads);
    shape.shared_bytes = Shape::kSharedBytes;
    return LaunchKernel(kKernel, shape, stream, args);
  }
};

template <MmaSource kSource>
cudaError_t PrepareWgmma(int outputs) {
  return outputs == 128 ? WgmmaInstance<kSource, 128, 3>::Prepare() : WgmmaInstance<kSource, 256, 4>::Prepare();
}

template <MmaSource kSource>
cudaError_t LaunchWgmma(int outputs, const MmaArgs& args, cudaStream_t stream) {
  return outputs == 128 ? WgmmaInstance<kSource, 128, 3>::Launch(args, stream)
                        : WgmmaInstance<kSource, 256, 4>::Launch(args, stream);
}

}  // namespace tamis::cuda
