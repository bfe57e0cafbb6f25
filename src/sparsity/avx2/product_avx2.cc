#include <immintrin.h>

#include "src/sparsity/product.h"

namespace tamis {
namespace {

constexpr int kHeight = 6;
constexpr int kVectors = 2;
constexpr int kWidth = 8 * kVectors;

void Add(const float* a, const float* b, int64_t rows, const TileTarget& target) {
  __m256 sum[kHeight][kVectors];
  for (int i = 0; i < kHeight; ++i) {
    for (int j = 0; j < kVectors; ++j) sum[i][j] = _mm256_setzero_ps();
  }
  for (int64_t r = 0; r < rows; ++r, a += kHeight, b += kWidth) {
    const __m256 b0 = _mm256_loadu_ps(b);
    const __m256 b1 = _mm256_loadu_ps(b + 8);
    for (int i = 0; i < kHeight; ++i) {
      const __m256 ai = _mm256_set1_ps(a[i]);
      sum[i][0] = _mm256_fmadd_ps(ai, b0, sum[i][0]);
      sum[i][1] = _mm256_fmadd_ps(ai, b1, sum[i][1]);
    }
  }
  for (int i = 0; i < kHeight; ++i) {
    if (i >= target.rows) return;  // a loop up to it would index registers
    double* const row = target.data + i * target.stride;
    if (target.columns == kWidth) {
      for (int j = 0; j < 2 * kVectors; ++j) {
        const __m256 both = sum[i][j / 2];
        const __m128 half = j % 2 == 0 ? _mm256_castps256_ps128(both) : _mm256_extractf128_ps(both, 1);
        _mm256_storeu_pd(row + 4 * j, _mm256_add_pd(_mm256_loadu_pd(row + 4 * j), _mm256_cvtps_pd(half)));
      }
    } else {
      float sums[kWidth];
      for (int j = 0; j < kVectors; ++j) _mm256_storeu_ps(sums + 8 * j, sum[i][j]);
      for (int64_t j = 0; j < target.columns; ++j) row[j] += static_cast<double>(sums[j]);
    }
  }
}

}  // namespace

const ProductTile kProductTileAvx2 = {kHeight, kWidth, Add};

}  // namespace tamis
