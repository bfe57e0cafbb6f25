#include "src/kernels/cuda/launch.h"
#include "src/kernels/quantized/cuda/code_elements.h"
#include "src/kernels/quantized/cuda/codes.cuh"

namespace tamis::cuda {
namespace {

__device__ __forceinline__ bool HoldsCodes(DType dtype) {
  return dtype == DType::kUInt8 || dtype == DType::kInt8;
}

__device__ __forceinline__ void StoreNumber(const CodeElementsArgs& args, int64_t at, float value, float scale,
                                            int zero) {
  if (HoldsCodes(args.y_dtype)) {
    static_cast<uint8_t*>(args.y)[at] = static_cast<uint8_t>(QuantizedCode(value, scale, zero, args.y_dtype));
  } else {
    StoreFloat(args.y, args.y_dtype, at, value);
  }
}

__global__ void __launch_bounds__(256) CodeElementsKernel(const __grid_constant__ CodeElementsArgs args) {
  LetNextStart();
  WaitForPrevious();
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < args.count; i += step) {
    if (args.task == CodeTask::kQuantize || args.task == CodeTask::kDequantize) {
      const int64_t along = args.scales == nullptr ? 0 : i / args.inner % args.axis_size;
      const bool quantize = args.task == CodeTask::kQuantize;
      const float scale = args.scales != nullptr ? args.scales[along] : quantize ? args.y_scale : args.a_scale;
      const int zero = args.zeros != nullptr ? args.zeros[along] : quantize ? args.y_zero : args.a_zero;
      StoreNumber(args, i, LoadNumber(args.a, args.a_dtype, i, scale, zero), scale, zero);
      continue;
    }
    int64_t rest = i, at[2] = {0, 0};
    for (int axis = args.rank - 1; axis >= 0; --axis) {
      const int64_t index = rest % args.dims[axis];
      rest /= args.dims[axis];
      at[0] += index * args.strides[0][axis];
      at[1] += index * args.strides[1][axis];
    }
    const float a = LoadNumber(args.a, args.a_dtype, at[0], args.a_scale, args.a_zero);
    const float b = LoadNumber(args.b, args.b_dtype, at[1], args.b_scale, args.b_zero);
    StoreNumber(args, i, Activate(args.task == CodeTask::kAdd ? a + b : a * b, args.activation), args.y_scale,
                args.y_zero);
  }
}

// Eight numbers a thread, with one scale or one an index of the last axis.
template <class T>
__global__ void __launch_bounds__(256) QuantizeVectors(const __grid_constant__ CodeElementsArgs args) {
  LetNextStart();
  WaitForPrevious();
  const int64_t at = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * 8;
  if (at >= args.count) return;
  float values[8];
  Load8(static_cast<const T*>(args.a) + at, values);
  if (args.scales != nullptr) {
    float scales[8];
    Load8(args.scales + at % args.axis_size, scales);
#pragma unroll
    for (int i = 0; i < 8; ++i) values[i] = __fdiv_rn(values[i], scales[i]);
  } else {
#pragma unroll
    for (float& value : values) value = __fdiv_rn(value, args.y_scale);
  }
  *reinterpret_cast<uint2*>(static_cast<uint8_t*>(args.y) + at) = PackCodes8(values, args.y_zero, args.y_dtype);
}

// A block takes 32 channels of one image, eight threads to each. Sums of codes are exact in int32.
__global__ void __launch_bounds__(256) MeanOfCodesKernel(const __grid_constant__ CodeElementsArgs args) {
  __shared__ int sums[8][32];
  LetNextStart();
  WaitForPrevious();
  const int lane = static_cast<int>(threadIdx.x) % 32, part = static_cast<int>(threadIdx.x) / 32;
  const int c = static_cast<int>(blockIdx.x) * 32 + lane;
  const int64_t image = static_cast<int64_t>(blockIdx.y) * args.pixels * args.channels;
  int sum = 0;
  for (int p = part; p < args.pixels && c < args.channels; p += 8) {
    const int64_t at = image + static_cast<int64_t>(p) * args.channels + c;
    sum += args.a_dtype == DType::kUInt8 ? static_cast<int>(static_cast<const uint8_t*>(args.a)[at])
                                         : static_cast<int>(static_cast<const int8_t*>(args.a)[at]);
  }
  sums[part][lane] = sum;
  __syncthreads();
  if (part != 0 || c >= args.channels) return;
  for (int i = 1; i < 8; ++i) sum += sums[i][lane];
  const float mean =
      args.a_scale * (static_cast<float>(sum) / static_cast<float>(args.pixels) - static_cast<float>(args.a_zero));
  StoreNumber(args, static_cast<int64_t>(blockIdx.y) * args.channels + c, Activate(mean, args.activation), args.y_scale,
              args.y_zero);
}

__global__ void __launch_bounds__(256) LookupKernel(const uint8_t* x, const uint8_t* table, uint8_t* y, int64_t count) {
  __shared__ uint8_t own[256];
  LetNextStart();
  own[threadIdx.x] = table[threadIdx.x];
  __syncthreads();
  WaitForPrevious();
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) y[i] = own[x[i]];
}

unsigned Blocks(int64_t items) {
  const int64_t blocks = (items + 255) / 256;
  return static_cast<unsigned>(blocks < 65536 ? blocks : 65536);
}

}  // namespace

cudaError_t LaunchCodeElements(const CodeElementsArgs& args, cudaStream_t stream) {
  LaunchShape shape;
  shape.block = dim3(256);
  if (args.task == CodeTask::kMean) {
    const auto images = static_cast<unsigned>(args.count / args.channels);
    shape.grid = dim3(static_cast<unsigned>((args.channels + 31) / 32), images);
    return LaunchKernel(MeanOfCodesKernel, shape, stream, args);
  }
  const bool in_vectors =
      args.scales == nullptr || (args.inner == 1 && args.axis_size % 8 == 0 && args.zeros == nullptr);
  if (args.task == CodeTask::kQuantize && in_vectors && args.count % 8 == 0) {
    shape.grid = dim3(static_cast<unsigned>((args.count / 8 + 255) / 256));
    return args.a_dtype == DType::kFloat16 ? LaunchKernel(QuantizeVectors<__half>, shape, stream, args)
                                           : LaunchKernel(QuantizeVectors<float>, shape, stream, args);
  }
  shape.grid = dim3(Blocks(args.count));
  return LaunchKernel(CodeElementsKernel, shape, stream, args);
}

cudaError_t LaunchLookup(const uint8_t* x, const uint8_t* table, uint8_t* y, int64_t count, cudaStream_t stream) {
  LaunchShape shape;
  shape.block = dim3(256);
  shape.grid = dim3(Blocks(count));
  return LaunchKernel(LookupKernel, shape, stream, x, table, y, count);
}

}  // namespace tamis::cuda
