#include "src/kernels/cuda/device.cuh"
#include "src/kernels/cuda/launch.h"
#include "src/kernels/gemm/cuda/finish_rows.h"

namespace tamis::cuda {
namespace {

template <class T>
__device__ void Finish(const FinishRowsArgs& args, int64_t at, int output) {
  float values[8];
  T* y = static_cast<T*>(args.y) + at;
  Load8(y, values);
  if (args.scales != nullptr) {
    float scales[8];
    Load8(args.scales + output, scales);
#pragma unroll
    for (int i = 0; i < 8; ++i) values[i] *= scales[i];
  }
  if (args.bias != nullptr) {
    float bias[8];
    Load8(args.bias + output, bias);
#pragma unroll
    for (int i = 0; i < 8; ++i) values[i] += bias[i];
  }
  if (args.residual != nullptr) {
    float residual[8];
    if (args.residual_dtype == DType::kFloat32) {
      Load8(static_cast<const float*>(args.residual) + at, residual);
    } else if (args.residual_dtype == DType::kBFloat16) {
      Load8(static_cast<const __nv_bfloat16*>(args.residual) + at, residual);
    } else {
      Load8(static_cast<const __half*>(args.residual) + at, residual);
    }
#pragma unroll
    for (int i = 0; i < 8; ++i) values[i] += residual[i];
  }
  ActivateAll(values, args.activation);
  Store8(y, values);
}

__global__ void __launch_bounds__(256) FinishRowsKernel(const __grid_constant__ FinishRowsArgs args) {
  LetNextStart();
  WaitForPrevious();
  const int64_t chunks = static_cast<int64_t>(args.rows) * args.outputs / 8;
  const int64_t chunk = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (chunk >= chunks) return;
  const int output = static_cast<int>(chunk % (args.outputs / 8)) * 8;
  if (args.y_dtype == DType::kFloat32) {
    Finish<float>(args, chunk * 8, output);
  } else if (args.y_dtype == DType::kBFloat16) {
    Finish<__nv_bfloat16>(args, chunk * 8, output);
  } else {
    Finish<__half>(args, chunk * 8, output);
  }
}

}  // namespace

cudaError_t LaunchFinishRows(const FinishRowsArgs& args, cudaStream_t stream) {
  const int64_t chunks = static_cast<int64_t>(args.rows) * args.outputs / 8;
  LaunchShape shape;
  shape.block = dim3(256);
  shape.grid = dim3(static_cast<unsigned>((chunks + 255) / 256));
  return LaunchKernel(FinishRowsKernel, shape, stream, args);
}

}  // namespace tamis::cuda
