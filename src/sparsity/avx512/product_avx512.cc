#include <immintrin.h>

#include "src/sparsity/product.h"

namespace tamis {
namespace {

constexpr int kHeight = 12;
constexpr int kVectors = 2;
constexpr int kWidth = 16 * kVectors;

void Add(const float* a, const float* b, int64_t rows, const TileTarget& target) {
  __m512 sum[kHeight][kVectors];
  for (int i = 0; i < kHeight; ++i) {
    for (int j = 0; j < kVectors; ++j) sum[i][j] = _mm512_setzero_ps();
  }
  for (int64_t r = 0; r < rows; ++r, a += kHeight, b += kWidth) {
    const __m512 b0 = _mm512_loadu_ps(b);
    const __m512 b1 = _mm512_loadu_ps(b + 16);
    for (int i = 0; i < kHeight; ++i) {
      const __m512 ai = _mm512_set1_ps(a[i]);
      sum[i][0] = _mm512_fmadd_ps(ai, b0, sum[i][0]);
      sum[i][1] = _mm512_fmadd_ps(ai, b1, sum[i][1]);
    }
  }
  const auto columns = static_cast<uint32_t>(target.columns);
  const uint32_t mask = columns >= kWidth ? ~0U : (1U << columns) - 1;
  for (int i = 0; i < kHeight; ++i) {
    if (i >= target.rows) return;  // a loop up to it would index registers
    double* const row = target.data + i * target.stride;
    for (int j = 0; j < 2 * kVectors; ++j) {
      const __m512 both = sum[i][j / 2];
      const __m256 half = j % 2 == 0 ? _mm512_castps512_ps256(both) : _mm512_extractf32x8_ps(both, 1);
      const auto lanes = static_cast<__mmask8>(mask >> (8 * j));
      const __m512d before = _mm512_maskz_loadu_pd(lanes, row + 8 * j);
      _mm512_mask_storeu_pd(row + 8 * j, lanes, _mm512_add_pd(before, _mm512_cvtps_pd(half)));
    }
  }
}

}  // namespace

const ProductTile kProductTileAvx512 = {kHeight, kWidth, Add};

}  // namespace tamis
