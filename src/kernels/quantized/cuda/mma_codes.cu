#include "src/kernels/gemm/cuda/mma_tile.cuh"
#include "src/kernels/quantized/cuda/codes.cuh"
#include "src/kernels/quantized/cuda/mma_codes.h"

namespace tamis::cuda {
namespace {

// Eight neighbouring elements of codes or numbers, as numbers.
__device__ __forceinline__ void LoadNumbers8(const void* from, const Int8Types& types, int64_t at, float (&to)[8]) {
  if (types.residual == DType::kFloat16) return Load8(static_cast<const __half*>(from) + at, to);
  if (types.residual == DType::kFloat32) return Load8(static_cast<const float*>(from) + at, to);
  const uint2 codes = *reinterpret_cast<const uint2*>(static_cast<const uint8_t*>(from) + at);
  const bool is_signed = types.residual == DType::kInt8;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const uint32_t byte = (i < 4 ? codes.x : codes.y) >> i % 4 * 8 & 0xff;
    const int code = is_signed ? static_cast<int8_t>(byte) : static_cast<int>(byte);
    to[i] = types.residual_scale * static_cast<float>(code - types.residual_zero);
  }
}

__device__ __forceinline__ void StoreNumbers8(void* to, const Int8Types& types, int64_t at, float (&values)[8]) {
  if (types.y == DType::kFloat16) return Store8(static_cast<__half*>(to) + at, values);
  if (types.y == DType::kFloat32) return Store8(static_cast<float*>(to) + at, values);
#pragma unroll
  for (float& value : values) value *= types.y_inverse;
  *reinterpret_cast<uint2*>(static_cast<uint8_t*>(to) + at) = PackCodes8(values, types.y_zero, types.y);
}

// One of them.
__device__ __forceinline__ void StoreNumber(void* to, const Int8Types& types, int64_t at, float value) {
  if (!IsCode(types.y)) return StoreFloat(to, types.y, at, value);
  const CodeShift shift = ShiftOf(types.y, types.y_zero);
  static_cast<uint8_t*>(to)[at] = static_cast<uint8_t>(PackCodes2(value * types.y_inverse, 0, shift) ^ shift.flips);
}

// m16n8k32, of which fragments hold the same bytes as those of m16n8k16 of f16.
struct CodeProduct {
  using Args = MmaCodeArgs;
  using Sum = int32_t;

  // Codes of u8 less 128.
  static __device__ __forceinline__ void Prepare(const Args& args, uint32_t (&a)[4]) {
    const uint32_t flips = args.types.x_unsigned ? 0x80808080u : 0u;
#pragma unroll
    for (uint32_t& codes : a) codes ^= flips;
  }
  static __device__ __forceinline__ void MultiplyAdd(Sum (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
  static __device__ __forceinline__ void Finish(const Args& args, int row, int output, Sum (&sums)[8]) {
    const int64_t at = static_cast<int64_t>(row) * args.outputs + output;
    const Int8Types& types = args.types;
    const bool vectors = args.outputs % 8 == 0;
    const int count = min(8, args.outputs - output);
    float values[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const Int8Channel channel = i < count ? args.channels_of_y[output + i] : Int8Channel{};
      values[i] = fmaf(channel.scale, static_cast<float>(sums[i]), channel.bias);
    }
    if (args.residual != nullptr) {
      float residual[8];
      if (vectors) {
        LoadNumbers8(args.residual, types, at, residual);
      } else {
#pragma unroll
        for (int i = 0; i < 8; ++i) {
          residual[i] = 0;
          if (i < count) {
            residual[i] = LoadNumber(args.residual, types.residual, at + i, types.residual_scale, types.residual_zero);
          }
        }
      }
#pragma unroll
      for (int i = 0; i < 8; ++i) values[i] += residual[i];
    }
    ActivateAll(values, args.activation);  // in one place of the code: it is long
    if (vectors) return StoreNumbers8(args.y, types, at, values);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      if (i < count) StoreNumber(args.y, types, at + i, values[i]);
    }
  }
};

}  // namespace

template <MmaSource kSource>
cudaError_t PrepareMmaCodes(MmaChoice choice) {
  return WithMmaInstance<CodeProduct, kSource>(choice.tile, [](auto instance) { return instance.Prepare(); });
}
template <MmaSource kSource>
cudaError_t LaunchMmaCodes(MmaChoice choice, const MmaCodeArgs& args, cudaStream_t stream) {
  return WithMmaInstance<CodeProduct, kSource>(
      choice.tile, [&](auto instance) { return instance.Launch(choice.split, args, stream); });
}

template cudaError_t PrepareMmaCodes<MmaSource::kRows>(MmaChoice);
template cudaError_t PrepareMmaCodes<MmaSource::kPixels>(MmaChoice);
template cudaError_t LaunchMmaCodes<MmaSource::kRows>(MmaChoice, const MmaCodeArgs&, cudaStream_t);
template cudaError_t LaunchMmaCodes<MmaSource::kPixels>(MmaChoice, const MmaCodeArgs&, cudaStream_t);

}  // namespace tamis::cuda
