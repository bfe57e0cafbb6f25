// The instructions of the int8 depthwise body in 256 bits. `DotOf` is WideDot, or VnniDot where there is VNNI.
#pragma once

#include "src/kernels/quantized/avx2/int8_tile_avx2.h"
#include "src/kernels/quantized/depthwise_int8_body.h"

namespace tamis {
namespace {

template <class DotOf>
struct DepthwiseAvx2 {
  using Bytes = __m256i;
  using Floats = __m256;
  using Dot = DotOf;
  static constexpr int64_t kBytes = 32;

  static Bytes Load(const void* p) { return _mm256_load_si256(static_cast<const __m256i*>(p)); }
  static void Store(void* p, Bytes v) { _mm256_store_si256(static_cast<__m256i*>(p), v); }
  static Floats LoadFloat(const float* p) { return _mm256_load_ps(p); }
  static Bytes Set8(int value) { return _mm256_set1_epi8(static_cast<char>(value)); }
  static Bytes Set16(int16_t value) { return _mm256_set1_epi16(value); }

  // `count` bytes of each part and zeros behind them, of whole parts all; a part without an address is padding.
  template <int kSide>
  static Bytes LoadParts(const uint8_t* const* at, int64_t count, const uint8_t* padding, Bytes flip) {
    constexpr int64_t kPart = kBytes / kSide;
    alignas(32) uint8_t parts[kBytes];
    if (count < kPart) {
      std::memset(parts, 0, sizeof(parts));
      for (int i = 0; i < kSide; ++i) {
        if (at[i] != nullptr) std::memcpy(parts + i * kPart, at[i], static_cast<size_t>(count));
      }
    }
    const auto from = [&](int i) { return count < kPart ? parts + i * kPart : at[i]; };
    if constexpr (kSide == 1) {
      if (at[0] == nullptr) return Load(padding);
      return _mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from(0))), flip);
    } else {
      const auto part = [&](int i) {
        if (at[i] == nullptr) return _mm_load_si128(reinterpret_cast<const __m128i*>(padding));
        return _mm_xor_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from(i))), _mm256_castsi256_si128(flip));
      };
      return _mm256_inserti128_si256(_mm256_castsi128_si256(part(0)), part(1), 1);
    }
  }
  template <int kSide>
  static void StoreParts(uint8_t* const* y, int64_t offset, int64_t count, Bytes v) {
    constexpr int64_t kPart = kBytes / kSide;
    alignas(32) uint8_t parts[kBytes];
    if (count < kPart) Store(parts, v);
    for (int i = 0; i < kSide; ++i) {
      if (y[i] == nullptr) continue;
      if (count < kPart) {
        std::memcpy(y[i] + offset, parts + i * kPart, static_cast<size_t>(count));
      } else if constexpr (kSide == 1) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(y[0] + offset), v);
      } else {
        const __m128i half = i == 0 ? _mm256_castsi256_si128(v) : _mm256_extracti128_si256(v, 1);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(y[i] + offset), half);
      }
    }
  }

  static Bytes UnpackLow8(Bytes a, Bytes b) { return _mm256_unpacklo_epi8(a, b); }
  static Bytes UnpackHigh8(Bytes a, Bytes b) { return _mm256_unpackhi_epi8(a, b); }
  static Bytes UnpackLow16(Bytes a, Bytes b) { return _mm256_unpacklo_epi16(a, b); }
  static Bytes UnpackHigh16(Bytes a, Bytes b) { return _mm256_unpackhi_epi16(a, b); }
  static Floats ToFloat(Bytes a) { return _mm256_cvtepi32_ps(a); }
  static Floats MultiplyAdd(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
  static Floats RoundAndScale(Floats v, float factor) {
    return _mm256_mul_ps(_mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), _mm256_set1_ps(factor));
  }
  // Too large a number would convert to the lowest integer, which is right for too small ones and NaNs.
  static Bytes ToInt(Floats v) { return _mm256_cvtps_epi32(_mm256_min_ps(_mm256_set1_ps(1e9F), v)); }
  static Bytes Pack32(Bytes a, Bytes b) { return _mm256_packs_epi32(a, b); }
  static Bytes PackU16(Bytes a, Bytes b) { return _mm256_packus_epi16(a, b); }
  static Bytes PackS16(Bytes a, Bytes b) { return _mm256_packs_epi16(a, b); }
  static Bytes Add16(Bytes a, Bytes b) { return _mm256_adds_epi16(a, b); }
  static Bytes MinU8(Bytes a, Bytes b) { return _mm256_min_epu8(a, b); }
  static Bytes MaxU8(Bytes a, Bytes b) { return _mm256_max_epu8(a, b); }
  static Bytes MinS8(Bytes a, Bytes b) { return _mm256_min_epi8(a, b); }
  static Bytes MaxS8(Bytes a, Bytes b) { return _mm256_max_epi8(a, b); }
};

template <class DotOf>
void DepthwiseBodyAvx2(const DepthwiseInt8Args& args, const DepthwiseInt8Task& task) {
  DepthwiseInt8<DepthwiseAvx2<DotOf>>(args, task, [](__m256i codes) { return codes; });
}

}  // namespace
}  // namespace tamis
