#include "src/kernels/conv/cuda/fold_image.h"
#include "src/kernels/cuda/device.cuh"
#include "src/kernels/cuda/launch.h"
#include "src/kernels/quantized/cuda/codes.cuh"

namespace tamis::cuda {
namespace {

// kChannels of a folded pixel, 16 bytes, a thread: 8 of f16 or 16 codes. Grid: x over a line's pixels and their parts,
// y over lines, z over images.
template <int kChannels>
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
  const int parts = args.pitch / kChannels;
  const int item = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  const int column = item / parts;
  if (column >= args.out_w) return;
  const int first = item % parts * kChannels;
  const int line = static_cast<int>(blockIdx.y);
  const float* image = args.x + static_cast<int64_t>(blockIdx.z) * args.channels * args.in_h * args.in_w;
  float values[kChannels];
#pragma unroll
  for (int i = 0; i < kChannels; ++i) {
    const short2 place = places[first + i];
    const int row = line * (args.step_h > 0 ? args.step_h : args.fold_h) - args.pad_h + place.y;
    const int at = column * args.fold_w - args.pad_w + place.x;
    const bool inside = place.x >= 0 && row >= 0 && row < args.in_h && at >= 0 && at < args.in_w;
    values[i] = inside ? image[planes[first + i] + row * args.in_w + at] : 0.0f;
  }
  const int64_t pixel = (static_cast<int64_t>(blockIdx.z) * args.out_h + line) * args.out_w + column;
  if constexpr (kChannels == 8) {
    Store8(static_cast<__half*>(args.y) + pixel * args.pitch + first, values);
  } else {
    uint32_t words[4] = {};
#pragma unroll
    for (int i = 0; i < kChannels; ++i) {
      const auto code = static_cast<uint32_t>(QuantizedCode(values[i], args.scale, args.zero, args.codes));
      words[i / 4] |= (code & 0xff) << i % 4 * 8;
    }
    *reinterpret_cast<uint4*>(static_cast<uint8_t*>(args.y) + pixel * args.pitch + first) =
        make_uint4(words[0], words[1], words[2], words[3]);
  }
}

}  // namespace

cudaError_t LaunchFoldImage(const FoldImageArgs& args, cudaStream_t stream) {
  LaunchShape shape;
  const bool codes = args.codes != DType::kUndefined;
  const int items = args.out_w * (args.pitch / (codes ? 16 : 8));
  shape.block = dim3(items >= 256 ? 256 : 128);
  shape.grid =
      dim3(static_cast<unsigned>((items + static_cast<int>(shape.block.x) - 1) / static_cast<int>(shape.block.x)),
           static_cast<unsigned>(args.out_h), static_cast<unsigned>(args.batch));
  return codes ? LaunchKernel(FoldImageKernel<16>, shape, stream, args)
               : LaunchKernel(FoldImageKernel<8>, shape, stream, args);
}

}  // namespace tamis::cuda
