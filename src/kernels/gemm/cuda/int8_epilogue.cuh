// From the s32 sums of an int8 product to y: scale, bias, residual, activation, and codes again.
//
// The weight's rows are packed so (src/kernels/gemm/code_tiles.h) that the two rows of sums that a thread holds are
// neighbouring outputs. Their two codes are one 16-bit element of the 8 x 8 matrices that stmatrix transposes, and a
// panel's tile of y is [token][64 codes] in the 64-byte swizzle. In f16 the two are one word of a tile of [token][64
// outputs] in the 128-byte swizzle.
#pragma once

#include "src/kernels/gemm/cuda/finish_tile.cuh"

namespace tamis::cuda {

// Codes of either type as u8: those of s8 are shifted by 128, which flips their highest bits.
struct CodeBits {
  uint32_t flips;  // of four codes
  int zero;        // point of the u8 code
};
__device__ __forceinline__ CodeBits BitsOf(DType dtype, int zero) {
  return dtype == DType::kInt8 ? CodeBits{0x80808080u, zero + 128} : CodeBits{0, zero};
}

// As ONNX's QuantizeLinear rounds: to even, before the zero point is added.
__device__ __forceinline__ int CodeOf(float value, float inverse, int zero) {
  return __float2int_rn(value * inverse) + zero;
}
// Saturated to u8: a is the lowest byte.
__device__ __forceinline__ uint32_t PackCodes(int a, int b, int c, int d) {
  uint32_t high, codes;
  asm("cvt.pack.sat.u8.s32.b32 %0, %1, %2, %3;" : "=r"(high) : "r"(d), "r"(c), "r"(0));
  asm("cvt.pack.sat.u8.s32.b32 %0, %1, %2, %3;" : "=r"(codes) : "r"(b), "r"(a), "r"(high));
  return codes;
}
template <int kByte>
__device__ __forceinline__ float ByteAsFloat(uint32_t bits) {
  return static_cast<float>(bits >> 8 * kByte & 0xff);
}

// The activations that stand in every kernel once an element.
template <int kCount>
__device__ __forceinline__ void ActivateCodes(float (&values)[kCount], const ActivationArgs& activation) {
  const auto each = [&](auto kind) {
#pragma unroll
    for (float& value : values) value = ActivateAs<decltype(kind)::kValue>(value, activation);
  };
  if (activation.kind == Activation::kGelu) return each(KindConstant<Activation::kGelu>());
  if (activation.kind != Activation::kNone) return each(KindConstant<Activation::kClip>());
}

// What becomes of a sum: fma(scale, sum, bias). With codes for y and an activation that is a pair of bounds, in units
// of y's codes and without their zero point.
struct SumScale {
  float scale, bias;
};
__device__ __forceinline__ SumScale ScaleOf(const WgmmaParams& params, int output, float unit) {
  if (output >= params.outputs) return {0, 0};
  const Int8Channel channel = params.channels[output];
  return {channel.scale * unit, channel.bias * unit};
}

__device__ __forceinline__ bool IsBounds(Activation kind) {
  return kind == Activation::kNone || kind == Activation::kRelu || kind == Activation::kClip;
}
struct Bounds {
  float low, high;
};
// Of the activation in units of y's codes, and of the codes.
__device__ __forceinline__ Bounds BoundsOf(const WgmmaParams& params, const CodeBits& y) {
  const auto zero = static_cast<float>(y.zero);
  Bounds bounds = {-zero, 255.0f - zero};
  if (params.activation.kind != Activation::kNone) {
    bounds.low = fminf(fmaxf(bounds.low, params.activation.low * params.types.y_inverse), bounds.high);
    bounds.high = fmaxf(fminf(bounds.high, params.activation.high * params.types.y_inverse), bounds.low);
  }
  return bounds;
}
// Four codes of numbers within the bounds: 1.5 * 2^23 added, the last byte of a float is the number rounded to even.
__device__ __forceinline__ uint32_t RoundToCodes(float a, float b, float c, float d, Bounds bounds, uint32_t zeros) {
  const auto bits = [&](float x) { return __float_as_uint(fminf(fmaxf(x, bounds.low), bounds.high) + 12582912.0f); };
  const uint32_t low = __byte_perm(bits(a), bits(b), 0x0040), high = __byte_perm(bits(c), bits(d), 0x0040);
  return __vadd4(__byte_perm(low, high, 0x5410), zeros);
}

// Two neighbouring outputs of one row, in f16 or f32.
__device__ __forceinline__ float2 LoadOutputs(const void* rows, DType dtype, int64_t at) {
  if (dtype == DType::kFloat32) return *reinterpret_cast<const float2*>(static_cast<const float*>(rows) + at);
  return __half22float2(*reinterpret_cast<const __half2*>(static_cast<const __half*>(rows) + at));
}
__device__ __forceinline__ void StoreOutputs(void* rows, DType dtype, int64_t at, float low, float high) {
  if (dtype == DType::kFloat32) {
    *reinterpret_cast<float2*>(static_cast<float*>(rows) + at) = make_float2(low, high);
  } else {
    *reinterpret_cast<__half2*>(static_cast<__half*>(rows) + at) = __floats2half2_rn(low, high);
  }
}

// The lane's place in a panel's tile of codes.
template <class Shape>
struct CodeLanes {
  static constexpr int kMatrices = Shape::kTokens >= 32 ? 4 : 2;  // of eight tokens
  static constexpr int kSteps = Shape::kTokens / (kMatrices * 8);
  static __device__ __forceinline__ uint32_t Address(uint32_t tile) {
    const int warp = threadIdx.x / 32 % 4, token = threadIdx.x % 32 % (kMatrices * 8);
    return tile + token * 64 + (warp ^ (token / 2 % 4)) * 16;
  }
};

// One warpgroup: the sums of 64 outputs on their way to y, which is codes or f16. If there is a residual it is codes,
// and its part has arrived in `tile`. All else goes through StoreSplitCodes.
template <class Shape>
__device__ __forceinline__ void StoreCodes(int32_t (&sums)[Shape::kTokens / 2], const WgmmaParams& params,
                                           int first_output, int first_token, uint32_t tile, int barrier) {
  using Lanes = CodeLanes<Shape>;
  constexpr int kStep = Lanes::kMatrices * 8 * 64;  // bytes
  const Int8Types& types = params.types;
  const int lane = threadIdx.x % 32;
  const int output = first_output + threadIdx.x / 32 % 4 * 16 + lane / 4 * 2;  // and the next one
  const bool in_codes = IsCode(types.y) && IsBounds(params.activation.kind);
  const float unit = in_codes ? types.y_inverse : 1.0f;
  const SumScale low = ScaleOf(params, output, unit), high = ScaleOf(params, output + 1, unit);
  float values[Shape::kTokens / 2];
#pragma unroll
  for (int i = 0; i < Shape::kTokens / 2; ++i) {
    const SumScale& scale = i / 2 % 2 == 0 ? low : high;
    values[i] = fmaf(scale.scale, static_cast<float>(sums[i]), scale.bias);
  }
  const uint32_t address = Lanes::Address(tile);
  if (params.residual_rows != nullptr) {
    const CodeBits bits = BitsOf(types.residual, types.residual_zero);
    const float scale = types.residual_scale * unit, shift = -scale * static_cast<float>(bits.zero);
#pragma unroll
    for (int step = 0; step < Lanes::kSteps; ++step) {
      uint32_t m[Lanes::kMatrices];
      LoadTransposed(address + step * kStep, m);
#pragma unroll
      for (int j = 0; j < Lanes::kMatrices; ++j) {
        float* v = values + (step * Lanes::kMatrices + j) * 4;
        const uint32_t codes = m[j] ^ bits.flips;
        v[0] += fmaf(scale, ByteAsFloat<0>(codes), shift);
        v[2] += fmaf(scale, ByteAsFloat<1>(codes), shift);
        v[1] += fmaf(scale, ByteAsFloat<2>(codes), shift);
        v[3] += fmaf(scale, ByteAsFloat<3>(codes), shift);
      }
    }
  }
  const CodeBits bits = BitsOf(types.y, types.y_zero);
  // Puts pack(values of eight tokens) for all of them into the tile of codes.
  const auto fill = [&](auto&& pack) {
#pragma unroll
    for (int step = 0; step < Lanes::kSteps; ++step) {
      uint32_t m[Lanes::kMatrices];
#pragma unroll
      for (int j = 0; j < Lanes::kMatrices; ++j) m[j] = pack(values + (step * Lanes::kMatrices + j) * 4) ^ bits.flips;
      StoreTransposed(address + step * kStep, m);
    }
    SendTile<Shape>(params, first_output, first_token, tile, barrier);
  };
  if (in_codes) {
    const Bounds bounds = BoundsOf(params, bits);
    const uint32_t zeros = static_cast<uint32_t>(bits.zero & 0xff) * 0x01010101u;
    return fill([&](const float* v) { return RoundToCodes(v[0], v[2], v[1], v[3], bounds, zeros); });
  }
  ActivateCodes(values, params.activation);
  if (IsCode(types.y)) {
    const auto code = [&](float v) { return CodeOf(v, types.y_inverse, bits.zero); };
    return fill([&](const float* v) { return PackCodes(code(v[0]), code(v[2]), code(v[1]), code(v[3])); });
  }
  NamedBarrier(barrier, 128);  // every lane has read the residual's codes, which lie elsewhere in the tile
  const int row = lane % 4 * 2, chunk = threadIdx.x / 32 % 4 * 2 + lane / 16, word = lane / 4 % 4 * 4;
#pragma unroll
  for (int i = 0; i < Shape::kTokens / 4; ++i) {
    const int j = i / 2 * 4 + i % 2, token = i / 2 * 8 + i % 2;  // + row
    const __half2 pair = __floats2half2_rn(values[j], values[j + 2]);
    asm volatile("st.shared.b32 [%0], %1;\n" ::"r"(tile + (token + row) * 128 + (chunk ^ (i % 2 + row)) * 16 + word),
                 "r"(reinterpret_cast<const uint32_t&>(pair))
                 : "memory");
  }
  SendTile<Shape>(params, first_output, first_token, tile, barrier);
}

// Sums of the parts of a split, as StoreSplitTile; also whole sums, for types and activations that are too rare for
// code in every kernel.
template <class Shape>
__device__ __forceinline__ void StoreSplitCodes(const WgmmaParams& params, const BlockPosition& block, int part,
                                                uint32_t sums) {
  const Int8Types& types = params.types;
  const CodeBits y_bits = BitsOf(types.y, types.y_zero), residual_bits = BitsOf(types.residual, types.residual_zero);
  ForQuadsOfPart<Shape>(params, block, part, sums, [&](uint32_t address, int output, int64_t at) {
    int sum[4] = {};
    for (int r = 0; r < params.split; ++r) {
      const float4 more = LoadFromRank(address, r);
      sum[0] += __float_as_int(more.x), sum[1] += __float_as_int(more.y);
      sum[2] += __float_as_int(more.z), sum[3] += __float_as_int(more.w);
    }
    float v[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const Int8Channel channel = params.channels[output + i];
      v[i] = fmaf(channel.scale, static_cast<float>(sum[i]), channel.bias);
    }
    if (FetchesResidual<Shape>(params)) {
      const uint32_t codes =
          *reinterpret_cast<const uint32_t*>(static_cast<const uint8_t*>(params.residual_rows) + at) ^
          residual_bits.flips;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        v[i] +=
            types.residual_scale * (static_cast<float>(codes >> 8 * i & 0xff) - static_cast<float>(residual_bits.zero));
      }
    } else if (params.residual_rows != nullptr) {
      const float2 low = LoadOutputs(params.residual_rows, types.residual, at);
      const float2 high = LoadOutputs(params.residual_rows, types.residual, at + 2);
      v[0] += low.x, v[1] += low.y, v[2] += high.x, v[3] += high.y;
    }
    ActivateSome(v, params.activation);
    if (IsCode(types.y)) {
      const auto code = [&](int i) { return CodeOf(v[i], types.y_inverse, y_bits.zero); };
      *reinterpret_cast<uint32_t*>(static_cast<uint8_t*>(params.y_rows) + at) =
          PackCodes(code(0), code(1), code(2), code(3)) ^ y_bits.flips;
    } else {
      StoreOutputs(params.y_rows, types.y, at, v[0], v[1]);
      StoreOutputs(params.y_rows, types.y, at + 2, v[2], v[3]);
    }
  });
}

}  // namespace tamis::cuda
