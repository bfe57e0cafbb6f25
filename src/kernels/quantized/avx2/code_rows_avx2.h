// From rows of 32 sums to codes whose activation is only a bound, in one pass: scale, bias, residual, zero point,
// bounds, and a table that is a line. Scales and biases are divided by y's scale once for many rows. Included by
// kernels of this folder; everything here is in their anonymous namespaces.
#pragma once

#include <immintrin.h>

#include "src/kernels/quantized/quantized.h"

namespace tamis {
namespace {

class CodeRows {
 public:
  static constexpr int64_t kLanes = 32;

  static bool Serves(const QuantizedResult& result, int64_t lanes) { return result.bounds_only && lanes == kLanes; }

  // `bias` may be null. Of a result that it serves.
  CodeRows(const QuantizedResult& result, const float* scale, const float* bias, float factor, bool residual)
      : result_(result), type_(result.residual_type), is_unsigned_(result.dtype == DType::kUInt8) {
    const float inverse = 1.0F / result.y_scale;
    const float of_residual = result.residual_scale * inverse;
    factor_ = _mm256_set1_ps(of_residual);
    const AffineTable last = result.ToCodes();
    line_ = last.factor;
    const float widest = line_ > 1 ? line_ : 1;
    bounded_ = !residual || (type_ != CodeType::kFloat32 && __builtin_fabsf(of_residual) * widest <= 1 << 20);
    for (int v = 0; v < 4; ++v) {
      scale_[v] = _mm256_mul_ps(_mm256_loadu_ps(scale + v * 8), _mm256_set1_ps(factor * inverse));
      bias_[v] = _mm256_setzero_ps();
      if (bias != nullptr) bias_[v] = _mm256_mul_ps(_mm256_loadu_ps(bias + v * 8), _mm256_set1_ps(inverse));
      if (residual) bias_[v] = _mm256_sub_ps(bias_[v], _mm256_set1_ps(of_residual * result.residual_zero));
      // Sums are below 2^31 in magnitude; NaNs are not less than anything.
      const auto below = [](__m256 x, float limit) {
        const __m256 magnitude = _mm256_andnot_ps(_mm256_set1_ps(-0.0F), x);
        return _mm256_movemask_ps(_mm256_cmp_ps(magnitude, _mm256_set1_ps(limit), _CMP_LT_OQ)) == 0xff;
      };
      bounded_ = bounded_ && below(scale_[v], 0.25F / widest) && below(bias_[v], (1 << 28) / widest);
    }
    zero_ = _mm256_set1_epi16(static_cast<int16_t>(last.offset));
    lowest_ = _mm256_set1_epi8(static_cast<char>(last.lowest));
    highest_ = _mm256_set1_epi8(static_cast<char>(last.highest));
  }

  // Elements [at, at + 32) of y. `sums` are 32-byte aligned; `residual` is null if the node has none.
  __attribute__((always_inline)) void Write(const int32_t* sums, const void* residual, void* y, int64_t at) const {
    __m256i wide[4];
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) {
      const __m256 sum = _mm256_cvtepi32_ps(_mm256_load_si256(reinterpret_cast<const __m256i*>(sums) + v));
      __m256 x = _mm256_fmadd_ps(sum, scale_[v], bias_[v]);
      if (residual != nullptr) x = _mm256_fmadd_ps(Residual(residual, at + v * 8), factor_, x);
      if (result_.affine) x = _mm256_mul_ps(_mm256_round_ps(x, kToNearest), _mm256_set1_ps(line_));
      // Too large a number would convert to the lowest integer, which is right for too small ones and NaNs.
      if (!bounded_) x = _mm256_min_ps(_mm256_set1_ps(1e9F), x);
      wide[v] = _mm256_cvtps_epi32(x);
    }
    const __m256i low = _mm256_adds_epi16(_mm256_packs_epi32(wide[0], wide[1]), zero_);
    const __m256i high = _mm256_adds_epi16(_mm256_packs_epi32(wide[2], wide[3]), zero_);
    __m256i codes = is_unsigned_ ? _mm256_packus_epi16(low, high) : _mm256_packs_epi16(low, high);
    codes = is_unsigned_ ? _mm256_min_epu8(_mm256_max_epu8(codes, lowest_), highest_)
                         : _mm256_min_epi8(_mm256_max_epi8(codes, lowest_), highest_);
    codes = _mm256_permutevar8x32_epi32(codes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));  // fours of codes
    auto* const to = static_cast<uint8_t*>(y) + at;
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), codes);
    if (result_.table != nullptr && !result_.affine) result_.Exchange(to, kLanes);
  }

 private:
  __attribute__((always_inline)) __m256 Residual(const void* residual, int64_t at) const {
    if (type_ == CodeType::kFloat32) return _mm256_loadu_ps(static_cast<const float*>(residual) + at);
    const __m128i codes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(static_cast<const uint8_t*>(residual) + at));
    return _mm256_cvtepi32_ps(type_ == CodeType::kUInt8 ? _mm256_cvtepu8_epi32(codes) : _mm256_cvtepi8_epi32(codes));
  }

  static constexpr int kToNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

  const QuantizedResult& result_;
  CodeType type_;  // of the residual
  float line_;     // the table's factor, or 1
  bool is_unsigned_;
  bool bounded_;  // no sum can leave the integers once it is scaled
  __m256 scale_[4], bias_[4];
  __m256 factor_;  // of the residual; its zero point is part of the bias
  __m256i zero_, lowest_, highest_;
};

}  // namespace
}  // namespace tamis
