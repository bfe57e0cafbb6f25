#include "src/kernels/cuda/launch.h"
#include "src/kernels/quantized/cuda/codes.cuh"
#include "src/kernels/quantized/cuda/direct_product.h"

namespace tamis::cuda {
namespace {

// Four products of x's codes, of either type, with codes of s8.
__device__ __forceinline__ int MultiplyAdd4(uint32_t x, uint32_t w, bool x_unsigned, int sum) {
  int result;
  if (x_unsigned) {
    asm("dp4a.u32.s32 %0, %1, %2, %3;" : "=r"(result) : "r"(x), "r"(w), "r"(sum));
  } else {
    asm("dp4a.s32.s32 %0, %1, %2, %3;" : "=r"(result) : "r"(x), "r"(w), "r"(sum));
  }
  return result;
}

// One position of the kernel: the sum of (x - zero) * w over the channels of a group.
__device__ __forceinline__ int SumOverChannels(const DirectProductArgs& args, const uint8_t* x, const int8_t* w,
                                               int channels) {
  int sum = 0, weights = 0, c = 0;
  if (channels % 4 == 0) {
    for (; c < channels; c += 4) {
      const uint32_t four = *reinterpret_cast<const uint32_t*>(w + c);
      sum = MultiplyAdd4(*reinterpret_cast<const uint32_t*>(x + c), four, args.types.x_unsigned, sum);
      weights = MultiplyAdd4(0x01010101u, four, true, weights);
    }
    return sum - args.x_zero * weights;
  }
  for (; c < channels; ++c) {
    const int code = args.types.x_unsigned ? x[c] : reinterpret_cast<const int8_t*>(x)[c];
    sum += (code - args.x_zero) * w[c];
  }
  return sum;
}

// An element of y a thread, neighbouring outputs side by side.
__global__ void __launch_bounds__(256) DirectProductKernel(const __grid_constant__ DirectProductArgs args) {
  LetNextStart();
  WaitForPrevious();
  const int64_t item = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (item >= static_cast<int64_t>(args.batch) * args.out_h * args.out_w * args.outputs) return;
  const int output = static_cast<int>(item % args.outputs);
  const int64_t pixel = item / args.outputs;
  const int ox = static_cast<int>(pixel % args.out_w);
  const int oy = static_cast<int>(pixel / args.out_w % args.out_h);
  const int64_t b = pixel / args.out_w / args.out_h;
  const int channels = args.channels / args.group;
  const int first = output / (args.outputs / args.group) * channels;
  const DType x_dtype = args.types.x_unsigned ? DType::kUInt8 : DType::kInt8;
  int sum = 0;
  for (int r = 0; r < args.kernel_h; ++r) {
    const int iy = oy * args.stride_h - args.pad_h + r * args.dilation_h;
    if (iy < 0 || iy >= args.in_h) continue;
    for (int s = 0; s < args.kernel_w; ++s) {
      const int ix = ox * args.stride_w - args.pad_w + s * args.dilation_w;
      if (ix < 0 || ix >= args.in_w) continue;
      const int8_t* w = args.w + ((static_cast<int64_t>(output) * args.kernel_h + r) * args.kernel_w + s) * channels;
      if (args.quantizes) {
        const auto* plane = static_cast<const float*>(args.x) + (b * args.channels + first) * args.in_h * args.in_w;
        for (int c = 0; c < channels; ++c) {
          const float x = plane[(static_cast<int64_t>(c) * args.in_h + iy) * args.in_w + ix];
          sum += (QuantizedCode(x, args.x_scale, args.x_zero, x_dtype) - args.x_zero) * w[c];
        }
      } else {
        const int64_t at = ((b * args.in_h + iy) * args.in_w + ix) * args.channels + first;
        sum += SumOverChannels(args, static_cast<const uint8_t*>(args.x) + at, w, channels);
      }
    }
  }
  const Int8Channel channel = args.channels_of_y[output];
  float value = fmaf(channel.scale, static_cast<float>(sum), channel.bias);
  const Int8Types& types = args.types;
  if (args.residual != nullptr) {
    value += LoadNumber(args.residual, types.residual, item, types.residual_scale, types.residual_zero);
  }
  value = Activate(value, args.activation);
  if (IsCode(types.y)) {
    const int low = types.y == DType::kUInt8 ? 0 : -128;
    const int code = __float2int_rn(fminf(fmaxf(value * types.y_inverse, -65536.0f), 65536.0f)) + types.y_zero;
    static_cast<uint8_t*>(args.y)[item] = static_cast<uint8_t>(min(max(code, low), low + 255));
  } else {
    StoreFloat(args.y, types.y, item, value);
  }
}

}  // namespace

cudaError_t LaunchDirectProduct(const DirectProductArgs& args, cudaStream_t stream) {
  LaunchShape shape;
  const int64_t items = static_cast<int64_t>(args.batch) * args.out_h * args.out_w * args.outputs;
  shape.block = dim3(256);
  shape.grid = dim3(static_cast<unsigned>((items + 255) / 256));
  return LaunchKernel(DirectProductKernel, shape, stream, args);
}

}  // namespace tamis::cuda
