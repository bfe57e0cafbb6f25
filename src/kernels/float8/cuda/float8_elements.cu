#include "src/kernels/cuda/device.cuh"
#include "src/kernels/cuda/launch.h"
#include "src/kernels/float8/cuda/float8.cuh"
#include "src/kernels/float8/cuda/float8_elements.h"

namespace tamis::cuda {
namespace {

// Eight elements a thread, the last ones one by one.
template <class T>
__device__ __forceinline__ void Elements8(const Float8ElementsArgs& args, DType dtype, int64_t at) {
  const bool whole = at + 8 <= args.count;
  const int left = whole ? 8 : static_cast<int>(args.count - at);
  float values[8] = {};
  if (args.decode) {
    const auto* codes = static_cast<const uint8_t*>(args.x) + at;
    if (whole) {
      DecodeFloat8(*reinterpret_cast<const uint2*>(codes), values);
    } else {
      for (int i = 0; i < left; ++i) values[i] = DecodeFloat8(codes[i]);
    }
#pragma unroll
    for (float& value : values) value *= args.scale;
    if (whole) {
      Store8(static_cast<T*>(args.y) + at, values);
    } else {
      for (int i = 0; i < left; ++i) StoreFloat(args.y, dtype, at + i, values[i]);
    }
    return;
  }
  if (whole) {
    Load8(static_cast<const T*>(args.x) + at, values);
  } else {
    for (int i = 0; i < left; ++i) values[i] = LoadFloat(args.x, dtype, at + i);
  }
  // Divided, as ONNX has it: a product with the inverse may fall to the other side of a tie.
#pragma unroll
  for (float& value : values) value = __fdiv_rn(value, args.scale);
  const uint2 codes = EncodeFloat8(values);
  auto* y = static_cast<uint8_t*>(args.y) + at;
  if (whole) {
    *reinterpret_cast<uint2*>(y) = codes;
  } else {
    for (int i = 0; i < left; ++i) y[i] = static_cast<uint8_t>((i < 4 ? codes.x : codes.y) >> i % 4 * 8);
  }
}

__global__ void __launch_bounds__(256) Float8ElementsKernel(const __grid_constant__ Float8ElementsArgs args) {
  LetNextStart();
  WaitForPrevious();
  const int64_t at = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * 8;
  if (at >= args.count) return;
  if (args.numbers == DType::kFloat32) {
    Elements8<float>(args, DType::kFloat32, at);
  } else if (args.numbers == DType::kBFloat16) {
    Elements8<__nv_bfloat16>(args, DType::kBFloat16, at);
  } else {
    Elements8<__half>(args, DType::kFloat16, at);
  }
}

}  // namespace

cudaError_t LaunchFloat8Elements(const Float8ElementsArgs& args, cudaStream_t stream) {
  LaunchShape shape;
  shape.block = dim3(256);
  shape.grid = dim3(static_cast<unsigned>((args.count + 2047) / 2048));
  return LaunchKernel(Float8ElementsKernel, shape, stream, args);
}

}  // namespace tamis::cuda
