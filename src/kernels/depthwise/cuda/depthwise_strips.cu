// Depthwise convolution by strips of a line. What neighbouring outputs read in common is loaded once, and all loads of
// a line are under way at the same time: kernels of 7 x 7 wait for memory seven times instead of 49.
#include "src/kernels/cuda/device.cuh"
#include "src/kernels/cuda/launch.h"
#include "src/kernels/pool/cuda/slide_window.h"

namespace tamis::cuda {
namespace {

constexpr int kThreads = 128;

// Two neighbouring channels.
template <DType kType>
__device__ __forceinline__ float2 Wide(uint32_t pair) {
  if constexpr (kType == DType::kFloat16) return __half22float2(*reinterpret_cast<const __half2*>(&pair));
  return make_float2(__uint_as_float(pair << 16), __uint_as_float(pair & 0xffff0000u));
}

template <DType kType, int kKernel, int kStride, int kStrip>
__global__ void __launch_bounds__(kThreads) Strips(const __grid_constant__ WindowArgs args) {
  constexpr int kSpan = (kStrip - 1) * kStride + kKernel;
  LetNextStart();
  WaitForPrevious();
  const int pairs = args.channels / 2;
  const int strips = (args.out_w + kStrip - 1) / kStrip;
  const int64_t item = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (item >= static_cast<int64_t>(args.batch) * args.out_h * strips * pairs) return;
  const int pair = static_cast<int>(item % pairs);
  const int64_t strip = item / pairs;
  const int ox = static_cast<int>(strip % strips) * kStrip;
  const int64_t line = strip / strips;  // of all images' results
  const int oy = static_cast<int>(line % args.out_h);
  const int64_t image = line / args.out_h * args.in_h * args.in_w * pairs;
  const uint32_t* const x = static_cast<const uint32_t*>(args.x) + image + pair;
  const uint32_t* const w = static_cast<const uint32_t*>(args.w) + pair;
  const int x0 = ox * kStride - args.pad_w, y0 = oy * kStride - args.pad_h;
  float2 sums[kStrip] = {};
#pragma unroll
  for (int r = 0; r < kKernel; ++r) {
    const int iy = y0 + r;
    const bool inside = iy >= 0 && iy < args.in_h;
    uint32_t loaded[kSpan];
#pragma unroll
    for (int s = 0; s < kSpan; ++s) {
      const int ix = x0 + s;
      loaded[s] = inside && ix >= 0 && ix < args.in_w ? x[(iy * args.in_w + ix) * pairs] : 0u;
    }
#pragma unroll
    for (int s = 0; s < kKernel; ++s) {
      const float2 weight = Wide<kType>(w[(r * kKernel + s) * pairs]);
#pragma unroll
      for (int i = 0; i < kStrip; ++i) {
        const float2 value = Wide<kType>(loaded[i * kStride + s]);
        sums[i].x = fmaf(value.x, weight.x, sums[i].x);
        sums[i].y = fmaf(value.y, weight.y, sums[i].y);
      }
    }
  }
  const float2 bias =
      args.bias == nullptr ? make_float2(0, 0) : make_float2(args.bias[2 * pair], args.bias[2 * pair + 1]);
#pragma unroll
  for (int i = 0; i < kStrip; ++i) {
    if (ox + i >= args.out_w) break;
    const int64_t at = (line * args.out_w + ox + i) * args.channels + 2 * pair;
    float values[2] = {sums[i].x + bias.x, sums[i].y + bias.y};
    if (args.residual != nullptr) {
      values[0] += LoadFloat(args.residual, args.residual_dtype, at);
      values[1] += LoadFloat(args.residual, args.residual_dtype, at + 1);
    }
    ActivateAll(values, args.activation);
    StoreFloat(args.y, args.y_dtype, at, values[0]);
    StoreFloat(args.y, args.y_dtype, at + 1, values[1]);
  }
}

template <DType kType, int kKernel, int kStride, int kStrip>
cudaError_t Launch(const WindowArgs& args, cudaStream_t stream) {
  const int64_t strips = (args.out_w + kStrip - 1) / kStrip;
  const int64_t items = static_cast<int64_t>(args.batch) * args.out_h * strips * (args.channels / 2);
  LaunchShape shape;
  shape.block = dim3(kThreads);
  shape.grid = dim3(static_cast<unsigned>((items + kThreads - 1) / kThreads));
  return LaunchKernel(Strips<kType, kKernel, kStride, kStrip>, shape, stream, args);
}

template <DType kType, int kKernel>
cudaError_t LaunchKind(const WindowArgs& args, int strip, cudaStream_t stream) {
  if (args.stride_w == 1)
    return strip == 2 ? Launch<kType, kKernel, 1, 2>(args, stream) : Launch<kType, kKernel, 1, 4>(args, stream);
  return strip == 2 ? Launch<kType, kKernel, 2, 2>(args, stream) : Launch<kType, kKernel, 2, 4>(args, stream);
}

template <DType kType>
cudaError_t LaunchType(const WindowArgs& args, int strip, cudaStream_t stream) {
  return args.kernel_w == 3   ? LaunchKind<kType, 3>(args, strip, stream)
         : args.kernel_w == 5 ? LaunchKind<kType, 5>(args, strip, stream)
                              : LaunchKind<kType, 7>(args, strip, stream);
}

}  // namespace

bool TakesStrips(const WindowArgs& args) {
  const bool half = args.x_dtype == DType::kFloat16 || args.x_dtype == DType::kBFloat16;
  const bool square = args.kernel_h == args.kernel_w && args.stride_h == args.stride_w;
  const bool size = args.kernel_w == 3 || args.kernel_w == 5 || args.kernel_w == 7;
  return args.kind == WindowKind::kDepthwise && half && args.channels % 2 == 0 && square && size &&
         (args.stride_w == 1 || args.stride_w == 2) && args.dilation_h == 1 && args.dilation_w == 1;
}

cudaError_t LaunchStrips(const WindowArgs& args, int strip, cudaStream_t stream) {
  return args.x_dtype == DType::kFloat16 ? LaunchType<DType::kFloat16>(args, strip, stream)
                                         : LaunchType<DType::kBFloat16>(args, strip, stream);
}

}  // namespace tamis::cuda
