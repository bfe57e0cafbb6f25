// The instructions of the int8 depthwise body in 512 bits.
#pragma once

#include "src/kernels/quantized/depthwise_int8_body.h"

namespace tamis {
namespace {

struct DepthwiseAvx512 {
  using Bytes = __m512i;
  using Floats = __m512;
  static constexpr int64_t kBytes = 64;

  struct Dot {
    using Weight = __m512i;
    static Weight Prepare(__m512i w) { return w; }
    static __m512i Add(__m512i acc, __m512i x, Weight w) { return _mm512_dpbusd_epi32(acc, x, w); }
  };

  static Bytes Load(const void* p) { return _mm512_load_si512(p); }
  static void Store(void* p, Bytes v) { _mm512_store_si512(p, v); }
  static Floats LoadFloat(const float* p) { return _mm512_load_ps(p); }
  static Bytes Set8(int value) { return _mm512_set1_epi8(static_cast<char>(value)); }
  static Bytes Set16(int16_t value) { return _mm512_set1_epi16(value); }

  // `count` bytes of each part, zeros behind them; a part without an address is padding.
  template <int kSide>
  static Bytes LoadParts(const uint8_t* const* at, int64_t count, const uint8_t* padding, Bytes flip) {
    if constexpr (kSide == 1) {
      if (at[0] == nullptr) return Load(padding);
      return _mm512_xor_si512(_mm512_maskz_loadu_epi8(~uint64_t{0} >> (64 - count), at[0]), flip);
    } else if constexpr (kSide == 2) {
      const auto mask = static_cast<__mmask32>(~uint32_t{0} >> (32 - count));
      const auto part = [&](int i) {
        if (at[i] == nullptr) return _mm256_load_si256(reinterpret_cast<const __m256i*>(padding));
        return _mm256_xor_si256(_mm256_maskz_loadu_epi8(mask, at[i]), _mm512_castsi512_si256(flip));
      };
      return _mm512_inserti64x4(_mm512_castsi256_si512(part(0)), part(1), 1);
    } else {
      const auto mask = static_cast<__mmask16>(0xffffU >> (16 - count));
      const auto part = [&](int i) {
        if (at[i] == nullptr) return _mm_load_si128(reinterpret_cast<const __m128i*>(padding));
        return _mm_xor_si128(_mm_maskz_loadu_epi8(mask, at[i]), _mm512_castsi512_si128(flip));
      };
      __m512i v = _mm512_castsi128_si512(part(0));
      v = _mm512_inserti32x4(v, part(1), 1);
      v = _mm512_inserti32x4(v, part(2), 2);
      return _mm512_inserti32x4(v, part(3), 3);
    }
  }
  template <int kSide>
  static void StoreParts(uint8_t* const* y, int64_t offset, int64_t count, Bytes v) {
    if constexpr (kSide == 1) {
      _mm512_mask_storeu_epi8(y[0] + offset, ~uint64_t{0} >> (64 - count), v);
    } else if constexpr (kSide == 2) {
      const auto mask = static_cast<__mmask32>(~uint32_t{0} >> (32 - count));
      _mm256_mask_storeu_epi8(y[0] + offset, mask, _mm512_castsi512_si256(v));
      if (y[1] != nullptr) _mm256_mask_storeu_epi8(y[1] + offset, mask, _mm512_extracti64x4_epi64(v, 1));
    } else {
      const auto mask = static_cast<__mmask16>(0xffffU >> (16 - count));
      _mm_mask_storeu_epi8(y[0] + offset, mask, _mm512_castsi512_si128(v));
      if (y[1] != nullptr) _mm_mask_storeu_epi8(y[1] + offset, mask, _mm512_extracti32x4_epi32(v, 1));
      if (y[2] != nullptr) _mm_mask_storeu_epi8(y[2] + offset, mask, _mm512_extracti32x4_epi32(v, 2));
      if (y[3] != nullptr) _mm_mask_storeu_epi8(y[3] + offset, mask, _mm512_extracti32x4_epi32(v, 3));
    }
  }

  static Bytes UnpackLow8(Bytes a, Bytes b) { return _mm512_unpacklo_epi8(a, b); }
  static Bytes UnpackHigh8(Bytes a, Bytes b) { return _mm512_unpackhi_epi8(a, b); }
  static Bytes UnpackLow16(Bytes a, Bytes b) { return _mm512_unpacklo_epi16(a, b); }
  static Bytes UnpackHigh16(Bytes a, Bytes b) { return _mm512_unpackhi_epi16(a, b); }
  static Floats ToFloat(Bytes a) { return _mm512_cvtepi32_ps(a); }
  static Floats MultiplyAdd(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
  static Floats RoundAndScale(Floats v, float factor) {
    constexpr int kToNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    return _mm512_mul_ps(_mm512_roundscale_ps(v, kToNearest), _mm512_set1_ps(factor));
  }
  // Too large a number would convert to the lowest integer, which is right for too small ones and NaNs.
  static Bytes ToInt(Floats v) { return _mm512_cvtps_epi32(_mm512_min_ps(_mm512_set1_ps(1e9F), v)); }
  static Bytes Pack32(Bytes a, Bytes b) { return _mm512_packs_epi32(a, b); }
  static Bytes PackU16(Bytes a, Bytes b) { return _mm512_packus_epi16(a, b); }
  static Bytes PackS16(Bytes a, Bytes b) { return _mm512_packs_epi16(a, b); }
  static Bytes Add16(Bytes a, Bytes b) { return _mm512_adds_epi16(a, b); }
  static Bytes MinU8(Bytes a, Bytes b) { return _mm512_min_epu8(a, b); }
  static Bytes MaxU8(Bytes a, Bytes b) { return _mm512_max_epu8(a, b); }
  static Bytes MinS8(Bytes a, Bytes b) { return _mm512_min_epi8(a, b); }
  static Bytes MaxS8(Bytes a, Bytes b) { return _mm512_max_epi8(a, b); }
};

}  // namespace
}  // namespace tamis
