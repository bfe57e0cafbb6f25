#include "src/kernels/chain/cuda/chain_elements.h"

#include "src/kernels/cuda/device.cuh"
#include "src/kernels/cuda/launch.h"
#include "src/kernels/elementwise/cuda/elementwise_step.cuh"

namespace tamis::cuda {
namespace {

constexpr int kThreads = 128;

// Neighbours in memory; of f32 16 bytes, otherwise 8.
template <int kEach>
__device__ __forceinline__ void LoadNeighbours(const void* from, DType dtype, int64_t at, float (&values)[kEach]) {
  if constexpr (kEach == 1) {
    values[0] = LoadFloat(from, dtype, at);
  } else {
    static_assert(kEach == 4);
    if (dtype == DType::kFloat32) {
      const float4 v = *reinterpret_cast<const float4*>(static_cast<const float*>(from) + at);
      values[0] = v.x, values[1] = v.y, values[2] = v.z, values[3] = v.w;
      return;
    }
    const uint2 bits = *reinterpret_cast<const uint2*>(static_cast<const uint16_t*>(from) + at);
    const auto* elements = reinterpret_cast<const uint16_t*>(&bits);
#pragma unroll
    for (int i = 0; i < kEach; ++i) values[i] = LoadFloat(elements, dtype, i);
  }
}
template <int kEach>
__device__ __forceinline__ void StoreNeighbours(void* to, DType dtype, int64_t at, const float (&values)[kEach]) {
  if constexpr (kEach == 1) {
    StoreFloat(to, dtype, at, values[0]);
  } else if (dtype == DType::kFloat32) {
    *reinterpret_cast<float4*>(static_cast<float*>(to) + at) = make_float4(values[0], values[1], values[2], values[3]);
  } else {
    uint2 bits;
    auto* elements = reinterpret_cast<uint16_t*>(&bits);
#pragma unroll
    for (int i = 0; i < kEach; ++i) StoreFloat(elements, dtype, i, values[i]);
    *reinterpret_cast<uint2*>(static_cast<uint16_t*>(to) + at) = bits;
  }
}

// A thread takes kEach neighbours of the last loop through all steps. What a step reads other than the one before lies
// in shared memory, each thread's own column of it: registers have no numbers at run time.
template <int kEach>
__global__ void __launch_bounds__(kThreads) ChainElementsKernel(const __grid_constant__ ChainElementsArgs args) {
  __shared__ float values[kChainInputs + kChainSteps][kThreads][kEach];
  const auto own = [&](int slot) -> float(&)[kEach] { return values[slot][threadIdx.x]; };
  LetNextStart();
  WaitForPrevious();
  const int64_t step_elements = static_cast<int64_t>(gridDim.x) * kThreads * kEach;
  for (int64_t at = (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x) * kEach; at < args.elements;
       at += step_elements) {
    int64_t rest = at, from[kChainInputs] = {};
    for (int axis = args.rank - 1; axis >= 0; --axis) {
      // 32-bit divisions where they do, as in the elementwise kernel.
      const int64_t next = axis == 0 ? 0
                           : args.elements < (1LL << 31)
                               ? static_cast<uint32_t>(rest) / static_cast<uint32_t>(args.dims[axis])
                               : rest / args.dims[axis];
      const int64_t index = rest - next * args.dims[axis];
#pragma unroll
      for (int i = 0; i < kChainInputs; ++i) from[i] += index * args.strides[i][axis];
      rest = next;
    }
    for (int i = 0; i < args.inputs; ++i) {
      float loaded[kEach];
      if (kEach == 1 || args.strides[i][args.rank - 1] != 0) {
        LoadNeighbours(args.x[i], args.x_dtypes[i], from[i], loaded);
      } else {
        const float same = LoadFloat(args.x[i], args.x_dtypes[i], from[i]);
#pragma unroll
        for (float& value : loaded) value = same;
      }
#pragma unroll
      for (int e = 0; e < kEach; ++e) own(i)[e] = loaded[e];
    }
    float last[kEach] = {};
    for (int s = 0; s < args.count; ++s) {
      const ChainElementsStep& step = args.steps[s];
      float a[kEach], b[kEach];
#pragma unroll
      for (int e = 0; e < kEach; ++e) {
        a[e] = step.left == kChainLast ? last[e] : own(step.left)[e];
        b[e] = step.right == kChainLast ? last[e] : own(step.right)[e];
      }
      Apply(step.step, a, b);
#pragma unroll
      for (int e = 0; e < kEach; ++e) {
        last[e] = a[e];
        if (step.kept) own(args.inputs + s)[e] = a[e];
      }
    }
    StoreNeighbours(args.y, args.y_dtype, at, last);
  }
}

}  // namespace

cudaError_t LaunchChainElements(const ChainElementsArgs& args, cudaStream_t stream) {
  const bool vectors = args.neighbours >= 4;
  const int64_t items = vectors ? args.elements / 4 : args.elements, blocks = (items + kThreads - 1) / kThreads;
  LaunchShape shape;
  shape.block = dim3(kThreads);
  shape.grid = dim3(static_cast<unsigned>(blocks < (1 << 20) ? blocks : 1 << 20));
  return vectors ? LaunchKernel(ChainElementsKernel<4>, shape, stream, args)
                 : LaunchKernel(ChainElementsKernel<1>, shape, stream, args);
}

}  // namespace tamis::cuda
