#include "src/kernels/conv/cuda/direct_conv.h"

#include "src/kernels/cuda/device.cuh"
#include "src/kernels/cuda/launch.h"

namespace tamis::cuda {
namespace {

constexpr int kThreads = 128;

// An output a thread. The lanes of a warp have neighbouring outputs of a pixel for the most part: they read
// neighbouring weights and the same elements of x.
template <DType kType>
__global__ void __launch_bounds__(kThreads) Direct(const __grid_constant__ DirectConvArgs args) {
  LetNextStart();
  WaitForPrevious();
  const int64_t item = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (item >= static_cast<int64_t>(args.batch) * args.out_h * args.out_w * args.outputs) return;
  const int o = static_cast<int>(item % args.outputs);
  const int64_t pixel = item / args.outputs;
  const int ox = static_cast<int>(pixel % args.out_w);
  const int64_t line = pixel / args.out_w;
  const int oy = static_cast<int>(line % args.out_h);
  const int64_t image = line / args.out_h * args.in_h * args.in_w * args.channels;
  const int depth = args.channels / args.group;
  const int64_t first = image + o / (args.outputs / args.group) * depth;
  float sum = args.bias == nullptr ? 0.0f : args.bias[o];
  for (int r = 0; r < args.kernel_h; ++r) {
    const int iy = oy * args.stride_h - args.pad_h + r * args.dilation_h;
    if (iy < 0 || iy >= args.in_h) continue;
    for (int s = 0; s < args.kernel_w; ++s) {
      const int ix = ox * args.stride_w - args.pad_w + s * args.dilation_w;
      if (ix < 0 || ix >= args.in_w) continue;
      const int64_t at = first + static_cast<int64_t>(iy * args.in_w + ix) * args.channels;
      const int64_t weight = static_cast<int64_t>(r * args.kernel_w + s) * depth * args.outputs + o;
#pragma unroll 8
      for (int c = 0; c < depth; ++c) {
        sum = fmaf(LoadFloat(args.x, kType, at + c),
                   LoadFloat(args.w, kType, weight + static_cast<int64_t>(c) * args.outputs), sum);
      }
    }
  }
  if (args.residual != nullptr) sum += LoadFloat(args.residual, args.residual_dtype, item);
  StoreFloat(args.y, args.y_dtype, item, Activate(sum, args.activation));
}

template <DType kType>
cudaError_t Launch(const DirectConvArgs& args, cudaStream_t stream) {
  const int64_t items = static_cast<int64_t>(args.batch) * args.out_h * args.out_w * args.outputs;
  LaunchShape shape;
  shape.block = dim3(kThreads);
  shape.grid = dim3(static_cast<unsigned>((items + kThreads - 1) / kThreads));
  return LaunchKernel(Direct<kType>, shape, stream, args);
}

}  // namespace

cudaError_t LaunchDirectConv(const DirectConvArgs& args, cudaStream_t stream) {
  switch (args.x_dtype) {
    case DType::kFloat16:
      return Launch<DType::kFloat16>(args, stream);
    case DType::kBFloat16:
      return Launch<DType::kBFloat16>(args, stream);
    default:
      return Launch<DType::kFloat32>(args, stream);
  }
}

}  // namespace tamis::cuda
