#include "src/kernels/rotary/cuda/rotary_rows.h"

#include "src/kernels/cuda/device.cuh"
#include "src/kernels/cuda/launch.h"

namespace tamis::cuda {
namespace {

// A thread a pair; behind the pairs that are turned, pairs (and a last element) that are moved as they are.
__global__ void __launch_bounds__(256) RotaryRowsKernel(const __grid_constant__ RotaryRowsArgs args) {
  LetNextStart();
  WaitForPrevious();
  const int pairs = (args.size + 1) / 2;
  const int64_t item = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const int64_t row = item / pairs;
  if (row >= args.rows) return;
  const int pair = static_cast<int>(item - row * pairs);
  const int64_t at = row * args.size;
  if (pair >= args.half) {
    for (int i = 2 * pair; i < min(2 * pair + 2, args.size); ++i) {
      StoreFloat(args.y, args.y_dtype, at + i, LoadFloat(args.x, args.x_dtype, at + i));
    }
    return;
  }
  const int first = args.interleaved ? 2 * pair : pair;
  const int second = args.interleaved ? 2 * pair + 1 : pair + args.half;
  const int64_t angles = row / args.batch_rows * args.batch_step + row / args.divisor % args.positions * args.width;
  const int64_t angle = angles + (args.own_angles ? first : pair), other = angles + (args.own_angles ? second : pair);
  const float a = LoadFloat(args.x, args.x_dtype, at + first), b = LoadFloat(args.x, args.x_dtype, at + second);
  StoreFloat(args.y, args.y_dtype, at + first, a * args.cosine[angle] - b * args.sine[angle]);
  StoreFloat(args.y, args.y_dtype, at + second, b * args.cosine[other] + a * args.sine[other]);
}

}  // namespace

cudaError_t LaunchRotaryRows(const RotaryRowsArgs& args, cudaStream_t stream) {
  LaunchShape shape;
  shape.block = dim3(256);
  shape.grid = dim3(static_cast<unsigned>((args.rows * ((args.size + 1) / 2) + 255) / 256));
  return LaunchKernel(RotaryRowsKernel, shape, stream, args);
}

}  // namespace tamis::cuda
