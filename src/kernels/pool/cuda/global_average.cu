#include "src/kernels/pool/cuda/global_average.h"

#include <algorithm>

#include "src/kernels/cuda/device.cuh"
#include "src/kernels/cuda/launch.h"

namespace tamis::cuda {
namespace {

constexpr int kLanes = 8, kRows = 32;  // of a block: eight channels a lane, 32 pixels at a time
constexpr int kBlockChannels = 8 * kLanes;

// Sums one part of an image for 64 channels.
template <class Element>
__global__ void __launch_bounds__(kLanes* kRows) SumPart(const __grid_constant__ GlobalAverageArgs args) {
  __shared__ float sums[kRows][kBlockChannels];
  LetNextStart();
  WaitForPrevious();
  const int lane = static_cast<int>(threadIdx.x) % kLanes, row = static_cast<int>(threadIdx.x) / kLanes;
  const int first_channel = static_cast<int>(blockIdx.x) * kBlockChannels;
  const int c = first_channel + lane * 8;
  const int each = (args.pixels + args.parts - 1) / args.parts;
  const int begin = static_cast<int>(blockIdx.y) * each, end = min(begin + each, args.pixels);
  const auto* image =
      static_cast<const Element*>(args.x) + static_cast<int64_t>(blockIdx.z) * args.pixels * args.channels;
  float sum[8] = {};
  if (c < args.channels) {
#pragma unroll 4
    for (int p = begin + row; p < end; p += kRows) {
      float values[8];
      Load8(image + static_cast<int64_t>(p) * args.channels + c, values);
#pragma unroll
      for (int i = 0; i < 8; ++i) sum[i] += values[i];
    }
  }
#pragma unroll
  for (int i = 0; i < 8; ++i) sums[row][lane * 8 + i] = sum[i];
  __syncthreads();
  const int own = static_cast<int>(threadIdx.x), channel = first_channel + own;
  if (own >= kBlockChannels || channel >= args.channels) return;
  float all = 0;
#pragma unroll
  for (int r = 0; r < kRows; ++r) all += sums[r][own];
  const int64_t image_channel = static_cast<int64_t>(blockIdx.z) * args.channels;
  if (args.parts > 1) {
    args.partial[image_channel * args.parts + static_cast<int64_t>(blockIdx.y) * args.channels + channel] = all;
  } else {
    StoreFloat(args.y, args.y_dtype, image_channel + channel, all / static_cast<float>(args.pixels));
  }
}

__global__ void __launch_bounds__(128) AddParts(const __grid_constant__ GlobalAverageArgs args) {
  LetNextStart();
  WaitForPrevious();
  const int c = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (c >= args.channels) return;
  const int64_t image_channel = static_cast<int64_t>(blockIdx.y) * args.channels;
  const float* from = args.partial + image_channel * args.parts + c;
  float sum = 0;
#pragma unroll 8
  for (int part = 0; part < args.parts; ++part) sum += from[static_cast<int64_t>(part) * args.channels];
  StoreFloat(args.y, args.y_dtype, image_channel + c, sum / static_cast<float>(args.pixels));
}

// Of any number of channels: a block sums 64 of one image, eight threads to a pair of them.
__global__ void __launch_bounds__(256) AnyChannels(const __grid_constant__ GlobalAverageArgs args) {
  __shared__ float2 sums[8][32];
  LetNextStart();
  WaitForPrevious();
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int part = static_cast<int>(threadIdx.x) / 32;
  const int c = (static_cast<int>(blockIdx.x) * 32 + lane) * 2;
  const int64_t image = static_cast<int64_t>(blockIdx.y) * args.pixels * args.channels;
  float2 sum = make_float2(0, 0);
  for (int p = part; p < args.pixels && c < args.channels; p += 8) {
    const int64_t at = image + static_cast<int64_t>(p) * args.channels + c;
    sum.x += LoadFloat(args.x, args.x_dtype, at);
    if (c + 1 < args.channels) sum.y += LoadFloat(args.x, args.x_dtype, at + 1);
  }
  sums[part][lane] = sum;
  __syncthreads();
  if (part != 0) return;
  for (int i = 1; i < 8; ++i) sum.x += sums[i][lane].x, sum.y += sums[i][lane].y;
  const int64_t at = static_cast<int64_t>(blockIdx.y) * args.channels + c;
  const auto pixels = static_cast<float>(args.pixels);
  if (c < args.channels) StoreFloat(args.y, args.y_dtype, at, sum.x / pixels);
  if (c + 1 < args.channels) StoreFloat(args.y, args.y_dtype, at + 1, sum.y / pixels);
}

template <class Element>
cudaError_t LaunchParts(const GlobalAverageArgs& args, cudaStream_t stream) {
  LaunchShape shape;
  shape.block = dim3(kLanes * kRows);
  shape.grid = dim3(static_cast<unsigned>((args.channels + kBlockChannels - 1) / kBlockChannels),
                    static_cast<unsigned>(args.parts), static_cast<unsigned>(args.batch));
  const cudaError_t error = LaunchKernel(SumPart<Element>, shape, stream, args);
  if (error != cudaSuccess || args.parts == 1) return error;
  shape.block = dim3(128);
  shape.grid = dim3(static_cast<unsigned>((args.channels + 127) / 128), static_cast<unsigned>(args.batch));
  return LaunchKernel(AddParts, shape, stream, args);
}

}  // namespace

int GlobalAverageParts(const GlobalAverageArgs& args) {
  constexpr int kBlocks = 264, kLeastPixels = 2 * kRows, kMostParts = 32;
  if (args.channels % 8 != 0) return 1;
  const int64_t blocks = static_cast<int64_t>(args.batch) * ((args.channels + kBlockChannels - 1) / kBlockChannels);
  const int64_t wanted = std::min<int64_t>(kBlocks / std::max<int64_t>(1, blocks), args.pixels / kLeastPixels);
  return static_cast<int>(std::clamp<int64_t>(wanted, 1, kMostParts));
}

cudaError_t LaunchGlobalAverage(const GlobalAverageArgs& args, cudaStream_t stream) {
  if (args.channels % 8 == 0) {
    switch (args.x_dtype) {
      case DType::kFloat16:
        return LaunchParts<__half>(args, stream);
      case DType::kBFloat16:
        return LaunchParts<__nv_bfloat16>(args, stream);
      default:
        return LaunchParts<float>(args, stream);
    }
  }
  LaunchShape shape;
  shape.block = dim3(256);
  shape.grid = dim3(static_cast<unsigned>((args.channels + 63) / 64), static_cast<unsigned>(args.batch));
  return LaunchKernel(AnyChannels, shape, stream, args);
}

}  // namespace tamis::cuda
