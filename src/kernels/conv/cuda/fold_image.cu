#include "src/kernels/conv/cuda/fold_image.h"
#include "src/kernels/cuda/device.cuh"
#include "src/kernels/cuda/launch.h"

namespace tamis::cuda {
namespace {

// Eight channels of a folded pixel a thread. Grid: x over a line's pixels and their parts, y over lines, z over images.
__global__ void __launch_bounds__(256) FoldImageKernel(const __grid_constant__ FoldImageArgs args) {
  // Of every channel of a folded pixel: where it comes from, seen from the pixel's corner; x < 0: it is padding.
  __shared__ short2 places[kMostFolded];
  __shared__ int planes[kMostFolded];
  LetNextStart();
  for (int e = static_cast<int>(threadIdx.x); e < args.pitch; e += static_cast<int>(blockDim.x)) {
    const int pixel = e / args.channels;
    const bool inside = pixel < args.fold_h * args.fold_w;
    places[e] = inside ? make_short2(static_cast<short>(pixel % args.fold_w), static_cast<short>(pixel / args.fold_w))
                       : make_short2(-1, 0);
    planes[e] = e % args.channels * args.in_h * args.in_w;
  }
  __syncthreads();
  WaitForPrevious();
  const int parts = args.pitch / 8;
  const int item = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  const int column = item / parts;
  if (column >= args.out_w) return;
  const int first = item % parts * 8;
  const int line = static_cast<int>(blockIdx.y);
  const float* image = args.x + static_cast<int64_t>(blockIdx.z) * args.channels * args.in_h * args.in_w;
  float values[8];
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const short2 place = places[first + i];
    const int row = line * args.fold_h - args.pad_h + place.y;
    const int at = column * args.fold_w - args.pad_w + place.x;
    const bool inside = place.x >= 0 && row >= 0 && row < args.in_h && at >= 0 && at < args.in_w;
    values[i] = inside ? image[planes[first + i] + row * args.in_w + at] : 0.0f;
  }
  const int64_t pixel = (static_cast<int64_t>(blockIdx.z) * args.out_h + line) * args.out_w + column;
  Store8(static_cast<__half*>(args.y) + pixel * args.pitch + first, values);
}

}  // namespace

cudaError_t LaunchFoldImage(const FoldImageArgs& args, cudaStream_t stream) {
  LaunchShape shape;
  const int items = args.out_w * (args.pitch / 8);
  shape.block = dim3(items >= 256 ? 256 : 128);
  shape.grid =
      dim3(static_cast<unsigned>((items + static_cast<int>(shape.block.x) - 1) / static_cast<int>(shape.block.x)),
           static_cast<unsigned>(args.out_h), static_cast<unsigned>(args.batch));
  return LaunchKernel(FoldImageKernel, shape, stream, args);
}

}  // namespace tamis::cuda
