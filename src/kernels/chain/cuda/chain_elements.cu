#include "src/kernels/chain/cuda/chain_elements.h"

#include "src/kernels/cuda/device.cuh"
#include "src/kernels/cuda/launch.h"

namespace tamis::cuda {
namespace {

constexpr int kThreads = 128;

// A NaN operand gives NaN, as ONNX's Min and Max do.
__device__ __forceinline__ float Least(float a, float b) {
  return a != a || b != b ? a + b : fminf(a, b);
}
__device__ __forceinline__ float Most(float a, float b) {
  return a != a || b != b ? a + b : fmaxf(a, b);
}

// a = f(a, b), the choice outside of the loop.
template <int kCount>
__device__ __forceinline__ void Apply(const ChainElementsStep& step, float (&a)[kCount], const float (&b)[kCount]) {
  using Kind = ChainKind;
  const auto each = [&](auto&& f) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) a[i] = f(a[i], b[i]);
  };
  const float alpha = step.alpha, beta = step.beta;
  switch (step.kind) {
    case Kind::kAdd:
      return each([](float x, float y) { return x + y; });
    case Kind::kSub:
      return each([](float x, float y) { return x - y; });
    case Kind::kMul:
      return each([](float x, float y) { return x * y; });
    case Kind::kDiv:
      return each([](float x, float y) { return x / y; });
    case Kind::kMin:
      return each([](float x, float y) { return Least(x, y); });
    case Kind::kMax:
      return each([](float x, float y) { return Most(x, y); });
    case Kind::kAffine:
      return each([&](float x, float) { return alpha * x + beta; });
    case Kind::kRelu:
      return ActivateAll(a, {Activation::kRelu});
    case Kind::kGelu:
      return ActivateAll(a, {Activation::kGelu});
    case Kind::kGeluTanh:
      return ActivateAll(a, {Activation::kGeluTanh});
    case Kind::kTanh:
      return ActivateAll(a, {Activation::kTanh});
    case Kind::kSigmoid:
      return each([](float x, float) { return 1.0f / (1.0f + expf(-x)); });
    case Kind::kClip:
      return ActivateAll(a, {Activation::kClip, alpha, beta});
    case Kind::kHardSwish:
      return ActivateAll(a, {Activation::kHardSwish});
    case Kind::kErf:
      return each([](float x, float) { return erff(x); });
    case Kind::kExp:
      return each([](float x, float) { return expf(x); });
    case Kind::kSqrt:
      return each([](float x, float) { return sqrtf(x); });
    case Kind::kNeg:
      return each([](float x, float) { return -x; });
    case Kind::kHardSigmoid:
      return each([&](float x, float) { return Least(Most(alpha * x + beta, 0.0f), 1.0f); });
    case Kind::kLeakyRelu:
      return each([&](float x, float) { return x < 0 ? alpha * x : x; });
    case Kind::kElu:
      return each([&](float x, float) { return x < 0 ? alpha * expm1f(x * step.gamma) : beta * x; });
    case Kind::kSoftplus:
      return each([](float x, float) { return Most(x, 0.0f) + log1pf(expf(-fabsf(x))); });
    case Kind::kSoftsign:
      return each([](float x, float) { return x / (1.0f + fabsf(x)); });
    case Kind::kMish:
      return ActivateAll(a, {Activation::kMish});
    case Kind::kSwish:
      return each([&](float x, float) { return x / (1.0f + expf(-alpha * x)); });
    case Kind::kAbs:
      return each([](float x, float) { return fabsf(x); });
    case Kind::kReciprocal:
      return each([](float x, float) { return 1.0f / x; });
  }
}

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
      Apply(step, a, b);
#pragma unroll
      for (int e = 0; e < kEach; ++e) {
        last[e] = a[e];
        if (step.kept) own(args.inputs + s)[e] = a[e];
      }
    }
    StoreNeighbours(args.y, args.y_dtype, at, last);
  }
}

// Whether four neighbours always lie in one row of the last loop, on boundaries of what is loaded at once.
bool HasVectors(const ChainElementsArgs& args) {
  const int last = args.rank - 1;
  if (args.dims[last] % 4 != 0) return false;
  for (int i = 0; i < args.inputs; ++i) {
    for (int axis = 0; axis < last && args.strides[i][last] != 0; ++axis) {
      if (args.strides[i][axis] % 4 != 0) return false;
    }
  }
  return true;
}

}  // namespace

cudaError_t LaunchChainElements(const ChainElementsArgs& args, cudaStream_t stream) {
  const bool vectors = HasVectors(args);
  const int64_t items = vectors ? args.elements / 4 : args.elements, blocks = (items + kThreads - 1) / kThreads;
  LaunchShape shape;
  shape.block = dim3(kThreads);
  shape.grid = dim3(static_cast<unsigned>(blocks < (1 << 20) ? blocks : 1 << 20));
  return vectors ? LaunchKernel(ChainElementsKernel<4>, shape, stream, args)
                 : LaunchKernel(ChainElementsKernel<1>, shape, stream, args);
}

}  // namespace tamis::cuda
