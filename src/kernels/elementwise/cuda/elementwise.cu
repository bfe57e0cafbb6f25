#include "src/kernels/cuda/device.cuh"
#include "src/kernels/cuda/launch.h"
#include "src/kernels/elementwise/cuda/elementwise.h"
#include "src/kernels/elementwise/cuda/elementwise_step.cuh"

namespace tamis::cuda {
namespace {

__global__ void __launch_bounds__(256) ElementwiseKernel(const __grid_constant__ ElementwiseArgs args) {
  LetNextStart();
  WaitForPrevious();
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < args.count; i += step) {
    int64_t rest = i, a_at = 0, b_at = 0;
    for (int axis = args.rank - 1; axis > 0; --axis) {
      const int64_t next = rest / args.dims[axis];
      const int64_t index = rest - next * args.dims[axis];
      a_at += index * args.strides[0][axis];
      b_at += index * args.strides[1][axis];
      rest = next;
    }
    a_at += rest * args.strides[0][0];
    b_at += rest * args.strides[1][0];
    float a[1] = {LoadFloat(args.a, args.a_dtype, a_at)};
    const float b[1] = {args.b == nullptr ? 0.0f : LoadFloat(args.b, args.b_dtype, b_at)};
    Apply(args.step, a, b);
    StoreFloat(args.y, args.y_dtype, i, a[0]);
  }
}

// All operands of one type, eight neighbours along the last loop a thread. `b` may repeat along it.
template <class T>
__global__ void __launch_bounds__(256) ElementwiseVectors(const __grid_constant__ ElementwiseArgs args) {
  LetNextStart();
  WaitForPrevious();
  const int64_t at = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * 8;
  if (at >= args.count) return;
  int64_t rest = at, a_at = 0, b_at = 0;
  for (int axis = args.rank - 1; axis >= 0; --axis) {
    // 32-bit divisions where they do: the 64-bit ones take longer than the rest of the kernel.
    const int64_t next = axis == 0 ? 0
                         : args.count < (1LL << 31)
                             ? static_cast<uint32_t>(rest) / static_cast<uint32_t>(args.dims[axis])
                             : rest / args.dims[axis];
    const int64_t index = rest - next * args.dims[axis];
    a_at += index * args.strides[0][axis];
    b_at += index * args.strides[1][axis];
    rest = next;
  }
  float a[8], b[8] = {};
  Load8(static_cast<const T*>(args.a) + a_at, a);
  if (args.b != nullptr && args.strides[1][args.rank - 1] == 1) {
    Load8(static_cast<const T*>(args.b) + b_at, b);
  } else if (args.b != nullptr) {
    const float same = LoadFloat(args.b, args.b_dtype, b_at);
#pragma unroll
    for (int i = 0; i < 8; ++i) b[i] = same;
  }
  Apply(args.step, a, b);
  Store8(static_cast<T*>(args.y) + at, a);
}

// Whether eight neighbours always lie in one row of the last loop and on 16-byte boundaries.
bool HasVectors(const ElementwiseArgs& args) {
  const bool one_type = args.a_dtype == args.y_dtype && (args.b == nullptr || args.b_dtype == args.y_dtype);
  if (!one_type) return false;
  const int last = args.rank - 1;
  if (args.dims[last] % 8 != 0 || args.strides[0][last] != 1) return false;
  for (int axis = 0; axis < last; ++axis) {
    if (args.strides[0][axis] % 8 != 0) return false;
    if (args.b != nullptr && args.strides[1][last] == 1 && args.strides[1][axis] % 8 != 0) return false;
  }
  return true;
}

unsigned Blocks(int64_t items) {
  const int64_t blocks = (items + 255) / 256;
  return static_cast<unsigned>(blocks < 65536 ? blocks : 65536);
}

template <class T>
__device__ T Saturated(float x, float low, float high) {
  return x != x ? T(0) : static_cast<T>(fminf(fmaxf(x, low), high));
}

__global__ void __launch_bounds__(256) CastKernel(const __grid_constant__ CastArgs args) {
  LetNextStart();
  WaitForPrevious();
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < args.count; i += step) {
    float x = 0;
    int64_t integer = 0;
    bool is_integer = true;
    switch (args.from) {
      case DType::kInt64:
        integer = static_cast<const int64_t*>(args.x)[i];
        break;
      case DType::kInt32:
        integer = static_cast<const int32_t*>(args.x)[i];
        break;
      case DType::kInt8:
        integer = static_cast<const int8_t*>(args.x)[i];
        break;
      case DType::kUInt8:
        integer = static_cast<const uint8_t*>(args.x)[i];
        break;
      case DType::kBool:
        integer = static_cast<const uint8_t*>(args.x)[i] != 0;
        break;
      default:
        x = LoadFloat(args.x, args.from, i);
        is_integer = false;
    }
    switch (args.to) {
      case DType::kInt64:
        static_cast<int64_t*>(args.y)[i] = is_integer      ? integer
                                           : x >= 0x1p63f  ? INT64_MAX
                                           : x <= -0x1p63f ? INT64_MIN
                                                           : Saturated<int64_t>(x, -0x1p63f, 0x1.fffffep62f);
        break;
      case DType::kInt32:
        static_cast<int32_t*>(args.y)[i] = is_integer     ? static_cast<int32_t>(integer)
                                           : x >= 0x1p31f ? INT32_MAX
                                                          : Saturated<int32_t>(x, -0x1p31f, 0x1.fffffep30f);
        break;
      case DType::kInt8:
        static_cast<int8_t*>(args.y)[i] = is_integer ? static_cast<int8_t>(integer) : Saturated<int8_t>(x, -128, 127);
        break;
      case DType::kUInt8:
        static_cast<uint8_t*>(args.y)[i] = is_integer ? static_cast<uint8_t>(integer) : Saturated<uint8_t>(x, 0, 255);
        break;
      case DType::kBool:
        static_cast<uint8_t*>(args.y)[i] = is_integer ? integer != 0 : x != 0;
        break;
      default:
        StoreFloat(args.y, args.to, i, is_integer ? static_cast<float>(integer) : x);
    }
  }
}

// Between f32 and f16 or bf16, the casts at the edges of every network.
template <class From, class To>
__global__ void __launch_bounds__(256) CastVectors(const __grid_constant__ CastArgs args) {
  LetNextStart();
  WaitForPrevious();
  const int64_t at = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * 8;
  if (at >= args.count) return;
  float values[8];
  Load8(static_cast<const From*>(args.x) + at, values);
  Store8(static_cast<To*>(args.y) + at, values);
}

}  // namespace

cudaError_t LaunchElementwise(const ElementwiseArgs& args, cudaStream_t stream) {
  LaunchShape shape;
  shape.block = dim3(256);
  if (HasVectors(args)) {
    shape.grid = dim3(static_cast<unsigned>((args.count / 8 + 255) / 256));
    if (args.y_dtype == DType::kFloat32) return LaunchKernel(ElementwiseVectors<float>, shape, stream, args);
    return args.y_dtype == DType::kFloat16 ? LaunchKernel(ElementwiseVectors<__half>, shape, stream, args)
                                           : LaunchKernel(ElementwiseVectors<__nv_bfloat16>, shape, stream, args);
  }
  shape.grid = dim3(Blocks(args.count));
  return LaunchKernel(ElementwiseKernel, shape, stream, args);
}

cudaError_t LaunchCast(const CastArgs& args, cudaStream_t stream) {
  LaunchShape shape;
  shape.block = dim3(256);
  const DType full = DType::kFloat32, half = DType::kFloat16, brain = DType::kBFloat16;
  const auto is = [&](DType from, DType to) { return args.from == from && args.to == to && args.count % 8 == 0; };
  const auto vectors = [&](void (*kernel)(CastArgs)) {
    shape.grid = dim3(static_cast<unsigned>((args.count / 8 + 255) / 256));
    return LaunchKernel(kernel, shape, stream, args);
  };
  if (is(full, half)) return vectors(CastVectors<float, __half>);
  if (is(half, full)) return vectors(CastVectors<__half, float>);
  if (is(full, brain)) return vectors(CastVectors<float, __nv_bfloat16>);
  if (is(brain, full)) return vectors(CastVectors<__nv_bfloat16, float>);
  shape.grid = dim3(Blocks(args.count));
  return LaunchKernel(CastKernel, shape, stream, args);
}

}  // namespace tamis::cuda
