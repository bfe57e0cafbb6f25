#include "src/kernels/cuda/device.cuh"
#include "src/kernels/cuda/launch.h"
#include "src/kernels/reduce/cuda/reduce_rows.h"

namespace tamis::cuda {
namespace {

__device__ __forceinline__ float Start(ReduceKind kind) {
  return kind == ReduceKind::kMax ? -INFINITY : kind == ReduceKind::kMin ? INFINITY : 0.0f;
}
// A NaN stays one, as in ONNX.
__device__ __forceinline__ float Combine(ReduceKind kind, float a, float b) {
  switch (kind) {
    case ReduceKind::kMax:
      return a != a || b != b ? a + b : fmaxf(a, b);
    case ReduceKind::kMin:
      return a != a || b != b ? a + b : fminf(a, b);
    default:
      return a + b;
  }
}
__device__ __forceinline__ float Term(ReduceKind kind, float x) {
  return kind == ReduceKind::kSumSquare || kind == ReduceKind::kL2 ? x * x : x;
}
__device__ __forceinline__ float Finish(const ReduceRowsArgs& args, float x) {
  if (args.kind == ReduceKind::kMean) return x / static_cast<float>(args.rows);
  return args.kind == ReduceKind::kL2 ? sqrtf(x) : x;
}

// A warp a result, its terms side by side.
__global__ void __launch_bounds__(128) ReduceLast(const __grid_constant__ ReduceRowsArgs args) {
  const DType dtype = args.dtype;
  LetNextStart();
  WaitForPrevious();
  const int64_t result = static_cast<int64_t>(blockIdx.x) * (blockDim.x / 32) + threadIdx.x / 32;
  if (result >= args.outer) return;
  float sum = Start(args.kind);
  for (int64_t i = threadIdx.x % 32; i < args.rows; i += 32) {
    sum = Combine(args.kind, sum, Term(args.kind, LoadFloat(args.x, dtype, result * args.rows + i)));
  }
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) {
    sum = Combine(args.kind, sum, __shfl_xor_sync(0xffffffffu, sum, offset));
  }
  if (threadIdx.x % 32 == 0) StoreFloat(args.y, dtype, result, Finish(args, sum));
}

// A thread a result: neighbouring threads read neighbouring columns.
__global__ void __launch_bounds__(128) ReduceMiddle(const __grid_constant__ ReduceRowsArgs args) {
  const DType dtype = args.dtype;
  LetNextStart();
  WaitForPrevious();
  const int64_t result = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (result >= args.outer * args.columns) return;
  const int64_t outer = result / args.columns;
  const int64_t first = outer * args.rows * args.columns + (result - outer * args.columns);
  float sum = Start(args.kind);
  for (int64_t i = 0; i < args.rows; ++i) {
    sum = Combine(args.kind, sum, Term(args.kind, LoadFloat(args.x, dtype, first + i * args.columns)));
  }
  StoreFloat(args.y, dtype, result, Finish(args, sum));
}

}  // namespace

cudaError_t LaunchReduceRows(const ReduceRowsArgs& args, cudaStream_t stream) {
  LaunchShape shape;
  shape.block = dim3(128);
  if (args.columns == 1) {
    shape.grid = dim3(static_cast<unsigned>((args.outer + 3) / 4));
    return LaunchKernel(ReduceLast, shape, stream, args);
  }
  shape.grid = dim3(static_cast<unsigned>((args.outer * args.columns + 127) / 128));
  return LaunchKernel(ReduceMiddle, shape, stream, args);
}

}  // namespace tamis::cuda
