#include <type_traits>

#include "src/kernels/cuda/device.cuh"
#include "src/kernels/cuda/launch.h"
#include "src/kernels/norm/cuda/norm_rows.h"
#include "src/kernels/quantized/cuda/codes.cuh"

namespace tamis::cuda {
namespace {

__device__ __forceinline__ float SumOfWarp(float x) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(0xffffffffu, x, offset);
  return x;
}
__device__ __forceinline__ float MaxOfWarp(float x) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, offset));
  return x;
}

// The norm of a row that a warp holds: element i of vector v of a lane is of column (v * 32 + lane) * 8 + i.
template <int kVectors>
__device__ __forceinline__ void NormalizeRow(float (&values)[kVectors][8], int columns, float epsilon,
                                             bool centred = true) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  float mean = 0;
  if (centred) {
    float sum = 0;
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
      if ((v * 32 + lane) * 8 >= columns) continue;
#pragma unroll
      for (int i = 0; i < 8; ++i) sum += values[v][i];
    }
    mean = SumOfWarp(sum) / static_cast<float>(columns);
  }
  float squares = 0;
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    if ((v * 32 + lane) * 8 >= columns) continue;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      values[v][i] -= mean;
      squares += values[v][i] * values[v][i];
    }
  }
  const float inverse = rsqrtf(SumOfWarp(squares) / static_cast<float>(columns) + epsilon);
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
#pragma unroll
    for (int i = 0; i < 8; ++i) values[v][i] *= inverse;
  }
}

template <class T, int kVectors>
__global__ void __launch_bounds__(128) EmbeddingNormKernel(const __grid_constant__ EmbeddingNormArgs args) {
  LetNextStart();
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int row = static_cast<int>(blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32);
  WaitForPrevious();
  if (row >= args.rows) return;
  int64_t index = args.wide_indices ? static_cast<const int64_t*>(args.indices)[row]
                                    : static_cast<const int32_t*>(args.indices)[row];
  if (index < 0) index += args.table_rows;
  const bool inside = index >= 0 && index < args.table_rows;
  const float* from = args.table + (inside ? index : 0) * args.columns;
  const float* more = args.addend == nullptr ? nullptr : args.addend + int64_t{row % args.addend_rows} * args.columns;
  float values[kVectors][8];
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    const int column = (v * 32 + lane) * 8;
    if (column >= args.columns) continue;
    Load8(from + column, values[v]);
    float added[8] = {};
    if (more != nullptr) Load8(more + column, added);
#pragma unroll
    for (int i = 0; i < 8; ++i) values[v][i] = (inside ? values[v][i] : 0.0f) + added[i];
  }
  NormalizeRow(values, args.columns, args.epsilon);
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    const int column = (v * 32 + lane) * 8;
    if (column >= args.columns) continue;
    float scale[8], bias[8] = {};
    Load8(args.scale + column, scale);
    if (args.bias != nullptr) Load8(args.bias + column, bias);
#pragma unroll
    for (int i = 0; i < 8; ++i) values[v][i] = values[v][i] * scale[i] + bias[i];
    Store8(static_cast<T*>(args.y) + static_cast<int64_t>(row) * args.columns + column, values[v]);
  }
}

// Eight elements in f16 or f32.
__device__ __forceinline__ void Store8As(void* to, bool f16, int64_t at, const float (&from)[8]) {
  if (f16) {
    Store8(static_cast<__half*>(to) + at, from);
  } else {
    Store8(static_cast<float*>(to) + at, from);
  }
}

// Eight elements of a norm from `column` on, `at` in the whole, as codes.
__device__ __forceinline__ void StoreCodes8(const LayerNormArgs& args, int64_t at, int column, float (&values)[8]) {
  float factors[8];
  if (args.factors != nullptr) Load8(args.factors + column, factors);
#pragma unroll
  for (int i = 0; i < 8; ++i) values[i] *= args.factors != nullptr ? factors[i] : args.factor;
  *reinterpret_cast<uint2*>(static_cast<uint8_t*>(args.y) + at) = PackCodes8(values, args.y_zero, args.codes);
}

// Eight elements as they lie in memory.
template <class T>
struct Raw8 {
  uint4 words[sizeof(T) / 2];

  __device__ __forceinline__ void Load(const T* from) {
#pragma unroll
    for (size_t w = 0; w < sizeof(T) / 2; ++w) words[w] = reinterpret_cast<const uint4*>(from)[w];
  }
  __device__ __forceinline__ void AddTo(float (&to)[8]) const {
    float numbers[8];
    Load8(reinterpret_cast<const T*>(words), numbers);
#pragma unroll
    for (int i = 0; i < 8; ++i) to[i] += numbers[i];
  }
};
template <>
struct Raw8<void> {
  __device__ __forceinline__ void AddTo(float (&)[8]) const {}
};

// Blocks of 128 threads on a multiprocessor, which bounds registers.
template <int kVectors, class Residual>
inline constexpr int kNormBlocks = kVectors > 4                      ? 1
                                   : std::is_same_v<Residual, float> ? 5
                                                                     : 8;

// A warp a row, the row in registers: kVectors * 256 columns at most, a multiple of 8. Scale and bias are P; with
// kExtended rows of Residual (void: none) are added first, and y is codes, numbers or both. All loads of a row are
// under way before the first is needed, and rows of up to 1024 leave room for 32 on a multiprocessor: 4096 are one
// wave.
template <class T, int kVectors, class P = T, bool kExtended = false, class Residual = void>
__global__ void __launch_bounds__(128, (kNormBlocks<kVectors, Residual>))
    LayerNormRegisters(const __grid_constant__ LayerNormArgs args) {
  LetNextStart();
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int row = static_cast<int>(blockIdx.x) * static_cast<int>(blockDim.x / 32) + warp;
  WaitForPrevious();
  if (row >= args.rows) return;
  const int64_t at = static_cast<int64_t>(row) * args.columns;
  Raw8<Residual> more[kVectors];
  if constexpr (!std::is_void_v<Residual>) {
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
      const int column = (v * 32 + lane) * 8;
      if (column < args.columns) more[v].Load(static_cast<const Residual*>(args.residual) + at + column);
    }
  }
  float values[kVectors][8];
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    const int column = (v * 32 + lane) * 8;
    if (column < args.columns) Load8(static_cast<const T*>(args.x) + at + column, values[v]);
  }
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    if ((v * 32 + lane) * 8 < args.columns) more[v].AddTo(values[v]);
  }
  NormalizeRow(values, args.columns, args.epsilon, args.centred);
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    const int column = (v * 32 + lane) * 8;
    if (column >= args.columns) continue;
    float scale[8], bias[8] = {};
    Load8(static_cast<const P*>(args.scale) + column, scale);
    if (args.bias != nullptr) Load8(static_cast<const P*>(args.bias) + column, bias);
#pragma unroll
    for (int i = 0; i < 8; ++i) values[v][i] = values[v][i] * scale[i] + bias[i];
    if constexpr (kExtended) {
      if (args.numbers != nullptr) Store8As(args.numbers, args.numbers_f16, at + column, values[v]);
      if (args.codes != DType::kUndefined) StoreCodes8(args, at + column, column, values[v]);
    } else {
      Store8(static_cast<T*>(args.y) + at + column, values[v]);
    }
  }
}

__device__ float SumOfBlock(float x, float* shared) {
  x = SumOfWarp(x);
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = x;
  __syncthreads();
  float total = 0;
  for (unsigned w = 0; w < blockDim.x / 32; ++w) total += shared[w];
  __syncthreads();
  return total;
}
__device__ float MaxOfBlock(float x, float* shared) {
  x = MaxOfWarp(x);
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = x;
  __syncthreads();
  float most = -INFINITY;
  for (unsigned w = 0; w < blockDim.x / 32; ++w) most = fmaxf(most, shared[w]);
  __syncthreads();
  return most;
}

// A block a row, any length.
__global__ void __launch_bounds__(256) LayerNormAny(const __grid_constant__ LayerNormArgs args) {
  __shared__ float shared[8];
  const DType dtype = args.dtype;
  LetNextStart();
  WaitForPrevious();
  const int64_t at = static_cast<int64_t>(blockIdx.x) * args.columns;
  const auto columns = static_cast<float>(args.columns);
  float mean = 0;
  if (args.centred) {
    float sum = 0;
    for (int i = static_cast<int>(threadIdx.x); i < args.columns; i += static_cast<int>(blockDim.x)) {
      sum += LoadFloat(args.x, dtype, at + i);
    }
    mean = SumOfBlock(sum, shared) / columns;
  }
  float squares = 0;
  for (int i = static_cast<int>(threadIdx.x); i < args.columns; i += static_cast<int>(blockDim.x)) {
    const float centred = LoadFloat(args.x, dtype, at + i) - mean;
    squares += centred * centred;
  }
  const float inverse = rsqrtf(SumOfBlock(squares, shared) / columns + args.epsilon);
  for (int i = static_cast<int>(threadIdx.x); i < args.columns; i += static_cast<int>(blockDim.x)) {
    const float normal = (LoadFloat(args.x, dtype, at + i) - mean) * inverse * LoadFloat(args.scale, dtype, i);
    StoreFloat(args.y, dtype, at + i, args.bias != nullptr ? normal + LoadFloat(args.bias, dtype, i) : normal);
  }
}

__global__ void __launch_bounds__(256) SoftmaxRows(const __grid_constant__ SoftmaxArgs args) {
  __shared__ float shared[8];
  const DType dtype = args.dtype;
  LetNextStart();
  WaitForPrevious();
  const int64_t at = static_cast<int64_t>(blockIdx.x) * args.columns;
  float most = -INFINITY;
  for (int i = static_cast<int>(threadIdx.x); i < args.columns; i += static_cast<int>(blockDim.x)) {
    most = fmaxf(most, LoadFloat(args.x, dtype, at + i));
  }
  most = MaxOfBlock(most, shared);
  float sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < args.columns; i += static_cast<int>(blockDim.x)) {
    sum += expf(LoadFloat(args.x, dtype, at + i) - most);
  }
  sum = SumOfBlock(sum, shared);
  const float logarithm = logf(sum);
  for (int i = static_cast<int>(threadIdx.x); i < args.columns; i += static_cast<int>(blockDim.x)) {
    const float x = LoadFloat(args.x, dtype, at + i) - most;
    StoreFloat(args.y, dtype, at + i, args.logarithm ? x - logarithm : expf(x) / sum);
  }
}

template <class T, int kVectors>
cudaError_t LaunchRows(const LayerNormArgs& args, const LaunchShape& shape, cudaStream_t stream) {
  if (args.codes == DType::kUndefined && args.numbers == nullptr) {
    return LaunchKernel(LayerNormRegisters<T, kVectors>, shape, stream, args);
  }
  if constexpr (std::is_same_v<T, __nv_bfloat16>) return cudaErrorInvalidValue;
  if (args.residual == nullptr) return LaunchKernel(LayerNormRegisters<T, kVectors, float, true>, shape, stream, args);
  return args.residual_f16 ? LaunchKernel(LayerNormRegisters<T, kVectors, float, true, __half>, shape, stream, args)
                           : LaunchKernel(LayerNormRegisters<T, kVectors, float, true, float>, shape, stream, args);
}

template <class T>
cudaError_t LaunchTyped(const LayerNormArgs& args, cudaStream_t stream) {
  LaunchShape shape;
  if (args.columns % 8 != 0 || args.columns > 2048) {
    shape.block = dim3(256);
    shape.grid = dim3(static_cast<unsigned>(args.rows));
    return LaunchKernel(LayerNormAny, shape, stream, args);
  }
  const int warps = args.rows < 1024 ? 1 : 4;  // few rows spread over more multiprocessors
  shape.block = dim3(static_cast<unsigned>(warps * 32));
  shape.grid = dim3(static_cast<unsigned>((args.rows + warps - 1) / warps));
  if (args.columns <= 768) return LaunchRows<T, 3>(args, shape, stream);
  return args.columns <= 1024 ? LaunchRows<T, 4>(args, shape, stream) : LaunchRows<T, 8>(args, shape, stream);
}

}  // namespace

cudaError_t LaunchEmbeddingNorm(const EmbeddingNormArgs& args, cudaStream_t stream) {
  LaunchShape shape;
  const int warps = args.rows < 1024 ? 1 : 4;
  shape.block = dim3(static_cast<unsigned>(warps * 32));
  shape.grid = dim3(static_cast<unsigned>((args.rows + warps - 1) / warps));
  const auto launch = [&](auto y) {
    using T = decltype(y);
    return args.columns <= 1024 ? LaunchKernel(EmbeddingNormKernel<T, 4>, shape, stream, args)
                                : LaunchKernel(EmbeddingNormKernel<T, 8>, shape, stream, args);
  };
  if (args.dtype == DType::kFloat16) return launch(__half());
  return args.dtype == DType::kBFloat16 ? launch(__nv_bfloat16()) : launch(0.0f);
}

cudaError_t LaunchLayerNorm(const LayerNormArgs& args, cudaStream_t stream) {
  if (args.dtype == DType::kFloat16) return LaunchTyped<__half>(args, stream);
  return args.dtype == DType::kBFloat16 ? LaunchTyped<__nv_bfloat16>(args, stream) : LaunchTyped<float>(args, stream);
}

cudaError_t LaunchSoftmax(const SoftmaxArgs& args, cudaStream_t stream) {
  LaunchShape shape;
  shape.block = dim3(args.columns <= 128 ? 32 : 256);
  shape.grid = dim3(static_cast<unsigned>(args.rows));
  return LaunchKernel(SoftmaxRows, shape, stream, args);
}

}  // namespace tamis::cuda
