#include <type_traits>

#include "src/kernels/cuda/device.cuh"
#include "src/kernels/cuda/launch.h"
#include "src/kernels/pool/cuda/slide_window.h"

namespace tamis::cuda {
namespace {

// Two neighbouring channels, so that the lanes of a warp read whole lines of f16 elements.
__device__ __forceinline__ float2 LoadPair(const void* from, DType dtype, int64_t at, bool both) {
  if (!both) return make_float2(LoadFloat(from, dtype, at), 0.0f);
  if (dtype == DType::kFloat32) return *reinterpret_cast<const float2*>(static_cast<const float*>(from) + at);
  const uint32_t bits = *reinterpret_cast<const uint32_t*>(static_cast<const uint16_t*>(from) + at);
  return dtype == DType::kBFloat16 ? make_float2(__uint_as_float(bits << 16), __uint_as_float(bits & 0xffff0000u))
                                   : __half22float2(*reinterpret_cast<const __half2*>(&bits));
}

__global__ void __launch_bounds__(256) WindowKernel(const __grid_constant__ WindowArgs args) {
  LetNextStart();
  WaitForPrevious();
  const int width = args.channels % 2 == 0 ? 2 : 1;
  const int lanes = args.channels / width;
  const int64_t count = static_cast<int64_t>(args.batch) * args.out_h * args.out_w * lanes;
  const int64_t item = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (item >= count) return;
  const int c = static_cast<int>(item % lanes) * width;
  const int64_t pixel = item / lanes;
  const int ox = static_cast<int>(pixel % args.out_w);
  const int oy = static_cast<int>(pixel / args.out_w % args.out_h);
  const int b = static_cast<int>(pixel / args.out_w / args.out_h);
  const int y0 = oy * args.stride_h - args.pad_h;
  const int x0 = ox * args.stride_w - args.pad_w;
  const bool is_max = args.kind == WindowKind::kMax;
  float2 sum = is_max ? make_float2(-INFINITY, -INFINITY) : make_float2(0, 0);
  int taps = 0;
  for (int r = 0; r < args.kernel_h; ++r) {
    const int iy = y0 + r * args.dilation_h;
    for (int s = 0; s < args.kernel_w; ++s) {
      const int ix = x0 + s * args.dilation_w;
      if (iy < 0 || iy >= args.in_h || ix < 0 || ix >= args.in_w) {
        // Padding before the input always counts, padding behind it up to its end.
        taps += args.count_padding && iy < args.padded_h && ix < args.padded_w;
        continue;
      }
      ++taps;
      const int64_t at = ((static_cast<int64_t>(b) * args.in_h + iy) * args.in_w + ix) * args.channels + c;
      const float2 x = LoadPair(args.x, args.x_dtype, at, width == 2);
      if (is_max) {
        sum.x = x.x > sum.x || x.x != x.x ? x.x : sum.x;
        sum.y = x.y > sum.y || x.y != x.y ? x.y : sum.y;
      } else if (args.kind == WindowKind::kAverage) {
        sum.x += x.x, sum.y += x.y;
      } else {
        const float2 w = LoadPair(args.w, args.x_dtype, (r * args.kernel_w + s) * args.channels + c, width == 2);
        sum.x = fmaf(x.x, w.x, sum.x), sum.y = fmaf(x.y, w.y, sum.y);
      }
    }
  }
  const int64_t at = pixel * args.channels + c;
  for (int i = 0; i < width; ++i) {
    float value = i == 0 ? sum.x : sum.y;
    if (args.kind == WindowKind::kAverage) value /= static_cast<float>(taps);
    if (args.bias != nullptr) value += args.bias[c + i];
    if (args.residual != nullptr) value += LoadFloat(args.residual, args.residual_dtype, at + i);
    StoreFloat(args.y, args.y_dtype, at + i, Activate(value, args.activation));
  }
}

// What a vector of eight 16-bit elements is compared as.
struct HalfPairs {
  using Element = __half;
  using Pair = __half2;
  static __device__ __forceinline__ Pair Lowest() {
    const __half lowest = __ushort_as_half(0xfc00);  // -infinity
    return {lowest, lowest};
  }
  static __device__ __forceinline__ float2 Wide(Pair pair) { return __half22float2(pair); }
};
struct BrainPairs {
  using Element = __nv_bfloat16;
  using Pair = __nv_bfloat162;
  static __device__ __forceinline__ Pair Lowest() {
    const __nv_bfloat16 lowest = __ushort_as_bfloat16(0xff80);
    return {lowest, lowest};
  }
  static __device__ __forceinline__ float2 Wide(Pair pair) { return __bfloat1622float2(pair); }
};

// Max pool of f16 or bf16, eight channels a thread: whole 16-byte loads, compared as pairs.
template <class Pairs>
__global__ void __launch_bounds__(256) MaxPoolVectors(const __grid_constant__ WindowArgs args) {
  LetNextStart();
  WaitForPrevious();
  const int lanes = args.channels / 8;
  const int item = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (item >= args.batch * args.out_h * args.out_w * lanes) return;
  const int c = item % lanes * 8;
  const int pixel = item / lanes;
  const int ox = pixel % args.out_w;
  const int oy = pixel / args.out_w % args.out_h;
  const int b = pixel / args.out_w / args.out_h;
  const int y0 = oy * args.stride_h - args.pad_h;
  const int x0 = ox * args.stride_w - args.pad_w;
  using Element = typename Pairs::Element;
  using Pair = typename Pairs::Pair;
  const auto* image =
      static_cast<const Element*>(args.x) + static_cast<int64_t>(b) * args.in_h * args.in_w * args.channels + c;
  Pair most[4] = {Pairs::Lowest(), Pairs::Lowest(), Pairs::Lowest(), Pairs::Lowest()};
  for (int r = 0; r < args.kernel_h; ++r) {
    const int iy = y0 + r * args.dilation_h;
    if (iy < 0 || iy >= args.in_h) continue;
    for (int s = 0; s < args.kernel_w; ++s) {
      const int ix = x0 + s * args.dilation_w;
      if (ix < 0 || ix >= args.in_w) continue;
      const uint4 bits = *reinterpret_cast<const uint4*>(image + (iy * args.in_w + ix) * args.channels);
      const auto* pairs = reinterpret_cast<const Pair*>(&bits);
#pragma unroll
      for (int i = 0; i < 4; ++i) most[i] = __hmax2_nan(most[i], pairs[i]);
    }
  }
  float values[8];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float2 pair = Pairs::Wide(most[i]);
    values[2 * i] = pair.x, values[2 * i + 1] = pair.y;
  }
  Store8(static_cast<Element*>(args.y) + static_cast<int64_t>(pixel) * args.channels + c, values);
}

// Max pool of codes, kBytes channels a thread, compared four by four.
template <int kBytes>
__global__ void __launch_bounds__(256) MaxPoolCodes(const __grid_constant__ WindowArgs args) {
  LetNextStart();
  WaitForPrevious();
  using Vector = std::conditional_t<kBytes == 16, uint4, std::conditional_t<kBytes == 4, uint32_t, uint8_t>>;
  constexpr int kWords = kBytes == 16 ? 4 : 1;
  const int lanes = args.channels / kBytes;
  const int64_t item = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (item >= static_cast<int64_t>(args.batch) * args.out_h * args.out_w * lanes) return;
  const int c = static_cast<int>(item % lanes) * kBytes;
  const int64_t pixel = item / lanes;
  const int ox = static_cast<int>(pixel % args.out_w);
  const int oy = static_cast<int>(pixel / args.out_w % args.out_h);
  const int64_t b = pixel / args.out_w / args.out_h;
  const auto* image = static_cast<const uint8_t*>(args.x) + b * args.in_h * args.in_w * args.channels + c;
  // Codes of s8 compare as u8 with their highest bits flipped.
  const uint32_t flips = args.codes == DType::kInt8 ? 0x80808080u : 0;
  uint32_t most[kWords] = {};
  for (int r = 0; r < args.kernel_h; ++r) {
    const int iy = oy * args.stride_h - args.pad_h + r * args.dilation_h;
    if (iy < 0 || iy >= args.in_h) continue;
    for (int s = 0; s < args.kernel_w; ++s) {
      const int ix = ox * args.stride_w - args.pad_w + s * args.dilation_w;
      if (ix < 0 || ix >= args.in_w) continue;
      const int64_t at = (static_cast<int64_t>(iy) * args.in_w + ix) * args.channels;
      const Vector codes = *reinterpret_cast<const Vector*>(image + at);
      uint32_t words[kWords];
      if constexpr (kBytes == 16) {
        words[0] = codes.x, words[1] = codes.y, words[2] = codes.z, words[3] = codes.w;
      } else {
        words[0] = codes;
      }
#pragma unroll
      for (int i = 0; i < kWords; ++i) most[i] = __vmaxu4(most[i], words[i] ^ flips);
    }
  }
#pragma unroll
  for (uint32_t& word : most) word ^= flips;
  auto* to = static_cast<uint8_t*>(args.y) + pixel * args.channels + c;
  if constexpr (kBytes == 16) {
    *reinterpret_cast<uint4*>(to) = make_uint4(most[0], most[1], most[2], most[3]);
  } else {
    *reinterpret_cast<Vector*>(to) = static_cast<Vector>(most[0]);
  }
}

template <int kBytes>
cudaError_t LaunchMaxPoolCodes(const WindowArgs& args, cudaStream_t stream) {
  LaunchShape shape;
  shape.block = dim3(256);
  const int64_t items = static_cast<int64_t>(args.batch) * args.out_h * args.out_w * (args.channels / kBytes);
  shape.grid = dim3(static_cast<unsigned>((items + 255) / 256));
  return LaunchKernel(MaxPoolCodes<kBytes>, shape, stream, args);
}

}  // namespace

cudaError_t LaunchWindow(const WindowArgs& args, cudaStream_t stream) {
  if (args.codes != DType::kUndefined) {
    return args.channels % 16 == 0  ? LaunchMaxPoolCodes<16>(args, stream)
           : args.channels % 4 == 0 ? LaunchMaxPoolCodes<4>(args, stream)
                                    : LaunchMaxPoolCodes<1>(args, stream);
  }
  const int lanes = args.channels % 2 == 0 ? args.channels / 2 : args.channels;
  const int64_t count = static_cast<int64_t>(args.batch) * args.out_h * args.out_w * lanes;
  LaunchShape shape;
  shape.block = dim3(256);
  if (args.kind == WindowKind::kMax && args.x_dtype != DType::kFloat32 && args.y_dtype == args.x_dtype &&
      args.channels % 8 == 0 && count < (1 << 30)) {
    shape.grid = dim3(static_cast<unsigned>((count / 4 + 255) / 256));
    return args.x_dtype == DType::kBFloat16 ? LaunchKernel(MaxPoolVectors<BrainPairs>, shape, stream, args)
                                            : LaunchKernel(MaxPoolVectors<HalfPairs>, shape, stream, args);
  }
  shape.grid = dim3(static_cast<unsigned>((count + 255) / 256));
  return LaunchKernel(WindowKernel, shape, stream, args);
}

}  // namespace tamis::cuda
