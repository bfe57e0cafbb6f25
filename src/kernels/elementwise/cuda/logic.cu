#include "src/kernels/cuda/device.cuh"
#include "src/kernels/cuda/launch.h"
#include "src/kernels/elementwise/cuda/logic.h"

namespace tamis::cuda {
namespace {

__device__ __forceinline__ int64_t LoadInteger(const void* from, DType dtype, int64_t i) {
  switch (dtype) {
    case DType::kInt64:
      return static_cast<const int64_t*>(from)[i];
    case DType::kInt32:
      return static_cast<const int32_t*>(from)[i];
    case DType::kInt8:
      return static_cast<const int8_t*>(from)[i];
    case DType::kUInt8:
      return static_cast<const uint8_t*>(from)[i];
    default:  // bool
      return static_cast<const uint8_t*>(from)[i] != 0;
  }
}

template <class T>
__device__ __forceinline__ bool Compare(LogicKind kind, T a, T b) {
  switch (kind) {
    case LogicKind::kEqual:
      return a == b;
    case LogicKind::kLess:
      return a < b;
    case LogicKind::kLessOrEqual:
      return a <= b;
    case LogicKind::kGreater:
      return a > b;
    case LogicKind::kGreaterOrEqual:
      return a >= b;
    case LogicKind::kAnd:
      return a != T(0) && b != T(0);
    case LogicKind::kOr:
      return a != T(0) || b != T(0);
    case LogicKind::kXor:
      return (a != T(0)) != (b != T(0));
    default:  // kNot
      return a == T(0);
  }
}

template <class T>
__device__ __forceinline__ void Choose(const LogicArgs& args, bool first, int64_t i, int64_t b_at, int64_t c_at) {
  static_cast<T*>(args.y)[i] = first ? static_cast<const T*>(args.b)[b_at] : static_cast<const T*>(args.c)[c_at];
}

__device__ __forceinline__ void Compute(const LogicArgs& args, int64_t i, int64_t a_at, int64_t b_at, int64_t c_at) {
  if (args.kind == LogicKind::kWhere) {
    const bool first = static_cast<const uint8_t*>(args.a)[a_at] != 0;
    switch (args.element_bytes) {
      case 1:
        return Choose<uint8_t>(args, first, i, b_at, c_at);
      case 2:
        return Choose<uint16_t>(args, first, i, b_at, c_at);
      case 4:
        return Choose<uint32_t>(args, first, i, b_at, c_at);
      default:
        return Choose<uint64_t>(args, first, i, b_at, c_at);
    }
  }
  const void* b = args.kind == LogicKind::kNot ? args.a : args.b;
  const bool floats = args.dtype == DType::kFloat32 || args.dtype == DType::kFloat16 || args.dtype == DType::kBFloat16;
  if (floats) {
    static_cast<uint8_t*>(args.y)[i] =
        Compare(args.kind, LoadFloat(args.a, args.dtype, a_at), LoadFloat(b, args.dtype, b_at));
    return;
  }
  const int64_t x = LoadInteger(args.a, args.dtype, a_at), y = LoadInteger(b, args.dtype, b_at);
  if (args.kind < LogicKind::kAdd) {
    static_cast<uint8_t*>(args.y)[i] = Compare(args.kind, x, y);
    return;
  }
  const auto p = static_cast<uint64_t>(x), q = static_cast<uint64_t>(y);
  const uint64_t result = args.kind == LogicKind::kAdd ? p + q : args.kind == LogicKind::kSub ? p - q : p * q;
  switch (args.dtype) {
    case DType::kInt64:
      static_cast<uint64_t*>(args.y)[i] = result;
      break;
    case DType::kInt32:
      static_cast<uint32_t*>(args.y)[i] = static_cast<uint32_t>(result);
      break;
    default:  // int8, uint8
      static_cast<uint8_t*>(args.y)[i] = static_cast<uint8_t>(result);
  }
}

__global__ void __launch_bounds__(256) LogicKernel(const __grid_constant__ LogicArgs args) {
  LetNextStart();
  WaitForPrevious();
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < args.count; i += step) {
    int64_t rest = i, at[3] = {};
    for (int axis = args.rank - 1; axis >= 0; --axis) {
      const int64_t next = axis == 0 ? 0 : rest / args.dims[axis];
      const int64_t index = rest - next * args.dims[axis];
#pragma unroll
      for (int operand = 0; operand < 3; ++operand) at[operand] += index * args.strides[operand][axis];
      rest = next;
    }
    Compute(args, i, at[0], at[1], at[2]);
  }
}

}  // namespace

cudaError_t LaunchLogic(const LogicArgs& args, cudaStream_t stream) {
  const int64_t blocks = (args.count + 255) / 256;
  LaunchShape shape;
  shape.block = dim3(256);
  shape.grid = dim3(static_cast<unsigned>(blocks < 65536 ? blocks : 65536));
  return LaunchKernel(LogicKernel, shape, stream, args);
}

}  // namespace tamis::cuda
